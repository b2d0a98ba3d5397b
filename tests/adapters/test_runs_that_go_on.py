"""Whole runs on the stores of a home that wait, are cut off, and go on: nothing is lost, nothing comes twice."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.adapters.run_lock import run_held
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.agentops.run_state import DONE, FAILED, WAITING
from ops_pipelines.core.errors import DataError, NotAllowed
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.testing.open_agents import Desk, agent_at, answer_all, of_program, platform_in

TASK = {"orders": ["A17", "B18"]}


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return platform_in(tmp_path)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def agent(platform, desk):
    return lambda program, **others: agent_at(platform, desk, program, **others)


class Died(BaseException):
    """A process that ends here."""


def cut_off(agent, program, at: int) -> str:
    """The id of a run whose process ended before its call number `at`."""
    run = f"{at:032x}"

    def until_then(session):
        calls = iter(range(10**6))

        class Dying:
            def __getattr__(self, name):
                if name in ("tool", "model") and next(calls) == at:
                    raise Died
                return getattr(session, name)

        return program(Dying())

    with pytest.raises(Died):
        of_program(agent, until_then).start(TASK, run=run)
    return run


def pay_at_once(session):
    def one(order):
        found = session.tool("order", id=order).result
        return session.tool("pay", order=order, amount_cents=found["amount_cents"]).to_json()["status"]

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, session.task["orders"]))


def test_calls_that_wait_at_once_are_each_answered_once(agent, desk):
    clerk = agent(pay_at_once)
    ran = clerk.start(TASK)
    while ran.state == WAITING:
        assert answer_all(clerk) >= 1
        ran = clerk.resume(ran.run)
    assert (ran.state, ran.result) == (DONE, ["done", "done"])
    assert sorted(desk.done) == [("A17", 1200), ("B18", 1200)]
    assert len(clerk.platform.approvals.held()) == 2
    assert clerk.replay(ran.run).identical


def test_a_program_that_swallows_the_waiting_does_nothing_more_and_is_not_done(agent, desk):
    def stubborn(session):
        try:
            session.tool("pay", order="A17", amount_cents=1200)
        except BaseException:
            try:
                session.tool("note", text="it was refused")
            finally:
                return "all is well"  # noqa: B012

    clerk = agent(stubborn)
    ran = clerk.start(TASK)
    assert (ran.state, desk.done) == (WAITING, [])
    answer_all(clerk)
    assert clerk.resume(ran.run).state == DONE
    assert desk.done == [("A17", 1200)]


def test_a_yes_that_came_before_the_run_could_note_that_it_waits_is_not_lost(agent, desk, platform):
    clerk = agent(pay_at_once)
    run = "c" * 32
    ran = clerk.start({"orders": ["A17"]}, run=run)
    kept = tuple(step for step in platform.runs.steps(run) if step.name != "waits")
    answer_all(clerk)
    again = clerk.conductor().resume(replace(clerk.recording(run), steps=kept), by="somebody")
    assert (ran.state, again.state, desk.done) == (WAITING, DONE, [("A17", 1200)])
    assert len(platform.approvals.held()) == 1


def test_a_yes_that_was_used_by_a_process_that_then_died_is_asked_for_again(agent, desk, platform):
    clerk = agent(pay_at_once)
    ran = clerk.start({"orders": ["A17"]})
    answer_all(clerk)
    (held,) = platform.approvals.held()
    platform.approvals.consume(held.request.id, held.request.binding.digest, at=platform.clock.wall())
    again = clerk.resume(ran.run)
    assert (again.state, desk.done) == (WAITING, [])
    answer_all(clerk)
    assert clerk.resume(ran.run).state == DONE
    assert desk.done == [("A17", 1200)]


def test_what_was_begun_and_not_ended_is_unknown_at_once_and_not_done_again(agent, desk, platform):
    def program(session):
        return session.tool("note", text="hello").to_json()["status"]

    clerk = agent(program)
    run = cut_off(clerk, program, 0)
    first, now = platform.runs.steps(run)[0], platform.clock.wall()
    digest = digest_json({"text": "hello"})[:16]
    begun = Intent(f"{run}/{first.id}/note/{digest}/1", "note", '{"text":"hello"}', run, "r")
    assert platform.effects.start(begun, at=now, until=now + timedelta(minutes=1)) is None
    assert clerk.resume(run, anyway=True).result == "unknown"
    (entry,) = platform.effects.entries()
    assert (entry.state(now), desk.done) == ("unknown", [])


def test_a_run_whose_process_is_alive_is_resumed_by_nobody(agent, desk):
    desk.hangs.clear()
    clerk = agent(lambda session: session.tool("note", text="hello").to_json())
    run, ended = "d" * 32, []
    thread = threading.Thread(target=lambda: ended.append(clerk.start(TASK, run=run)))
    thread.start()
    while not clerk.platform.effects.entries():
        pass
    with pytest.raises(NotAllowed, match="a process that is alive has it"):
        clerk.resume(run, anyway=True)
    desk.hangs.set()
    thread.join()
    assert (ended[0].state, desk.done) == (DONE, ["hello"])


def test_a_run_is_held_by_one_and_let_go_of_at_the_end(tmp_path):
    for _ in range(2):
        with run_held(tmp_path, "a"), pytest.raises(NotAllowed), run_held(tmp_path, "a"):
            pass
    assert list((tmp_path / "running").iterdir()) == []


def test_the_same_call_twice_at_once_is_two_calls_also_when_the_run_goes_on(agent, desk):
    def twice(session):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda _: session.tool("note", text="x").to_json()["status"], range(2)))

    clerk = agent(twice)
    run = cut_off(clerk, lambda session: (session.tool("note", text="x"), session.tool("order", id="A17")), 1)
    assert clerk.resume(run, anyway=True).result == ["done", "done"]
    assert desk.done == ["x", "x"]


def test_a_program_cannot_say_that_its_run_has_ended(agent):
    ran = agent(lambda session: session.decide("result", "well")).start(TASK)
    assert (ran.state, "cannot be called 'result'" in ran.error) == (FAILED, True)


def test_an_effect_is_not_done_where_the_log_of_runs_is_down_and_the_run_can_go_on(agent, desk, platform):
    impatient = replace(platform, runs=SQLiteRunLog(platform.runs.path, timeout_seconds=0.05))

    def program(session):
        session.tool("order", id="A17")
        with closing(sqlite3.connect(platform.runs.path, isolation_level=None)) as other:
            if locked:
                other.execute("BEGIN IMMEDIATE")
            for text in ("a", "b"):
                with suppress(Exception):  # a program that takes everything for a failure
                    session.tool("note", text=text)
        return "all is well"

    locked = True
    clerk = replace(agent(program), platform=impatient)
    with pytest.raises(DataError):
        clerk.start(TASK, run="f" * 32)
    assert desk.done == []
    locked = False
    assert clerk.resume("f" * 32, anyway=True).state == DONE
    assert desk.done == ["a", "b"]


def test_a_run_that_waits_replays_up_to_where_it_waits(agent):
    clerk = agent(pay_at_once)
    ran = clerk.start({"orders": ["A17"]})
    replayed = clerk.replay(ran.run)
    assert (replayed.identical, replayed.result["state"]) == (True, WAITING)


def test_a_model_that_was_asked_before_counts_in_the_breaker_when_the_run_goes_on(agent):
    def program(session):
        for number in range(4):
            session.model("m", {"ask": number}, lambda asked: f"answer {asked['ask']}")
        return "asked"

    clerk = agent(program, budgets=Budgets(loops=LoopRule(steps=3)))
    run = cut_off(clerk, program, 2)
    ran = clerk.resume(run, anyway=True)
    assert (ran.state, "has made its 3 calls" in ran.error) == (FAILED, True)


@pytest.mark.parametrize("swallows", [False, True])
def test_a_run_that_is_interrupted_from_the_keyboard_goes_on_and_repeats_nothing(agent, desk, swallows):
    def program(session):
        session.tool("note", text="first")
        try:
            session.model("m", "ask", interrupted)
        except BaseException:
            if not swallows:
                raise
        return session.tool("note", text="second").to_json()["status"]

    def interrupted(asked):
        if desk.done == ["first"] and not desk.looked:
            desk.looked.append("interrupted")
            raise KeyboardInterrupt
        return "answer"

    clerk, run = agent(program), "7" * 32
    with pytest.raises(KeyboardInterrupt):
        clerk.start(TASK, run=run)
    assert desk.done == ["first"]
    assert clerk.resume(run, anyway=True).result == "done"
    assert desk.done == ["first", "second"]


def test_a_program_that_awaits_waits_and_goes_on_whichever_task_comes_first_then(agent, desk):
    async def asks(session, number, seconds):
        async def ask(asked):
            await asyncio.sleep(seconds)
            return f"answer {asked['ask']}"

        return await session.model_async("m", {"ask": number}, ask)

    async def pays(session):
        await asks(session, 0, 0.05)
        return session.tool("pay", order="A17", amount_cents=1).to_json()["status"]

    async def acts(session):
        return await asyncio.gather(pays(session), asks(session, 1, 0.0))

    clerk = agent(lambda session: asyncio.run(acts(session)))
    ran = clerk.start(TASK)
    answer_all(clerk)
    assert (ran.state, desk.done) == (WAITING, [])
    assert clerk.resume(ran.run).result == ["done", "answer 1"]
    assert clerk.replay(ran.run).identical


def test_a_thread_that_outlives_its_run_does_nothing_any_more(agent, desk):
    late, threads = threading.Event(), []

    def program(session):
        def later():
            late.wait(60)
            with suppress(NotAllowed):
                session.tool("note", text="late")

        threads.append(threading.Thread(target=later))
        threads[0].start()
        return "done"

    ran = agent(program).start(TASK)
    late.set()
    threads[0].join()
    assert (ran.state, desk.done) == (DONE, [])


def test_a_tool_that_is_under_way_in_a_thread_is_waited_for(agent, desk, platform):
    desk.hangs.clear()

    def program(session):
        threading.Thread(target=lambda: session.tool("note", text="slow")).start()
        while not platform.effects.entries():
            pass
        threading.Timer(0.05, desk.hangs.set).start()
        return session.tool("pay", order="A17", amount_cents=1).to_json()["status"]

    ran = agent(program).start(TASK)
    steps = platform.runs.steps(ran.run)
    assert (ran.state, desk.done, steps[-1].name) == (WAITING, ["slow"], "waits")


def test_a_program_that_does_not_come_again_to_what_it_did_does_nothing_new(agent, desk):
    def program(session):
        session.tool("note", text=f"to {address}")
        return session.tool("pay", order="A17", amount_cents=1).to_json()["status"]

    address, clerk = "anna", agent(program)
    ran = clerk.start(TASK)
    answer_all(clerk)
    address, hasty = "anna, by another way", replace(clerk.conductor(), others_seconds=0.05)
    with pytest.raises(NotAllowed, match="without having come to all"):
        hasty.resume(clerk.recording(ran.run), by="me")
    assert desk.done == ["to anna"]
    address = "anna"
    assert clerk.resume(ran.run, anyway=True).result == "done"
    assert desk.done == ["to anna", ("A17", 1)]


def test_what_was_under_way_waits_until_other_threads_are_where_they_were(agent, desk, platform):
    def program(session):
        def one(order):
            if order == "B18":
                threading.Event().wait(0.1)
            return session.tool("note", text=order).to_json()["status"]

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, session.task["orders"]))

    clerk = agent(program)
    run = cut_off(clerk, lambda session: (session.tool("note", text="B18"), session.tool("order", id="A17")), 1)
    assert clerk.resume(run, anyway=True).result == ["done", "done"]
    assert desk.done == ["B18", "A17"]
