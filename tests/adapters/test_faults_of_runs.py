"""Each fault in a whole run on the stores of a home, by its name: nothing is done that was not allowed."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.run_state import WAITING
from ops_pipelines.core.errors import ConfigError, NotAllowed, OpsError
from ops_pipelines.testing.gates import Broken
from ops_pipelines.testing.open_agents import POLICY, Desk, agent_at, answer_all, of_program, platform_in

STORES = {
    "runs": SQLiteRunLog,
    "decisions": SQLiteDecisionLog,
    "effects": SQLiteEffectJournal,
    "approvals": SQLiteApprovalStore,
    "budgets": SQLiteBudgetStore,
}
PRICED = Budgets(prices={"note": Decimal("0.01"), "pay": Decimal("0.01")})


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return platform_in(tmp_path)


@pytest.fixture
def desk() -> Desk:
    return Desk()


BAD_CALLS = {
    "a hallucinated argument": ("note", {"words": "hello"}),
    "an extra key": ("note", {"text": "hello", "urgent": True}),
    "a key that is missing": ("note", {}),
    "a wrong type": ("pay", {"order": "A17", "amount_cents": "1200"}),
    "a number for a text": ("note", {"text": 5}),
    "nothing for a number": ("pay", {"order": "A17", "amount_cents": None}),
    "not a number": ("pay", {"order": "A17", "amount_cents": float("nan")}),
    "more than it may be given": ("note", {"text": "x" * 20_000}),
    "an unknown tool": ("notes", {"text": "hello"}),
    "no tool at all": ("", {}),
    "no name of a tool": (None, {}),
}


@pytest.mark.parametrize("fault", BAD_CALLS)
def test_a_call_that_is_none_is_denied_at_once(platform, desk, fault):
    tool, arguments = BAD_CALLS[fault]
    small = Budgets(limits=Limits(argument_bytes=10_000))
    ran = agent_at(platform, desk, lambda session: session.tool(tool, **arguments).to_json(), budgets=small).start({})
    assert (ran.result["status"], ran.result["stage"], desk.done) == ("denied", "validate", [])


def both(session):
    """Notes and pays, whatever comes, as a program does that takes every error for a failure of the tool."""
    told = []
    for tool, arguments in (("note", {"text": "hello"}), ("pay", {"order": "A17", "amount_cents": 1200})):
        with suppress(Exception):
            told.append(session.tool(tool, **arguments))
    return [one.to_json()["status"] for one in told]


@contextmanager
def locked(platform, store: str) -> Iterator[None]:
    other = sqlite3.connect(getattr(platform, store).path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can be written to, as on a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def in_a_fault(fault):
    """A program that notes and pays while something is broken, of an agent whose run has begun well."""

    def program(session):
        session.tool("order", id="A17")
        with fault():
            return both(session)

    return program


@pytest.mark.parametrize("store", STORES)
def test_a_store_that_is_locked_in_the_middle_of_a_run_lets_nothing_through(platform, desk, store):
    impatient = {name: made(getattr(platform, name).path, timeout_seconds=0.05) for name, made in STORES.items()}
    platform = replace(platform, **impatient)
    ended(agent_at(platform, desk, both, budgets=PRICED))  # so that each file is there
    desk.done.clear()
    clerk = agent_at(platform, desk, in_a_fault(lambda: locked(platform, store)), budgets=PRICED)
    nothing_is_done(clerk, desk, may_note=store == "approvals")


@pytest.mark.parametrize("store", STORES)
def test_a_store_that_is_down_lets_nothing_through(platform, desk, store):
    broken = replace(platform, **{store: Broken()})
    nothing_is_done(agent_at(broken, desk, both, budgets=PRICED), desk, may_note=store == "approvals")


def test_a_disk_that_is_full_lets_nothing_through_and_the_run_goes_on_when_there_is_room(platform, desk):
    ended(agent_at(platform, desk, both))
    desk.done.clear()
    clerk = agent_at(platform, desk, in_a_fault(full_disk))
    with pytest.raises(OpsError):
        clerk.start({}, run="d" * 32)
    assert desk.done == []
    assert of_program(clerk, in_a_fault(suppress)).resume("d" * 32, anyway=True).state == WAITING
    assert desk.done == ["hello"]


def nothing_is_done(clerk, desk, *, may_note: bool) -> None:
    """Without the store of approvals what needs none may still be done."""
    try:
        ran = clerk.start({})
    except OpsError:
        ran = None
    assert desk.done == (["hello"] if may_note else [])
    assert ran is None or "done" not in (ran.result or ())[may_note:]


def ended(clerk) -> None:
    ran = clerk.start({})
    while ran.state == WAITING:
        answer_all(clerk)
        ran = clerk.resume(ran.run)
    assert ran.result == ["done", "done"]


def test_a_memory_that_is_down_or_locked_stops_nothing_else_and_is_told(platform, desk):
    def program(session):
        for what in (lambda: session.remember("a", 1, source="user"), session.recall):
            with pytest.raises(OpsError):
                what()
        return "told"

    ran = agent_at(replace(platform, memory=Broken()), desk, program).start({})
    assert ran.result == "told"


@pytest.mark.parametrize("text", ["permit(", "@id('a') permit(principal, action, resource) when { context.typo };"])
def test_a_policy_with_a_fault_makes_no_agent(platform, desk, text):
    with pytest.raises(ConfigError):
        agent_at(platform, desk, both, policy=text)


def test_a_policy_that_errs_when_it_is_asked_denies(platform, desk):
    class Errs(Policy):
        def decide(self, *_, **__):
            raise RuntimeError("the policy is broken")

    clerk = agent_at(platform, desk, both)
    clerk = replace(clerk, agent=replace(clerk.agent, policy=Errs({"p": POLICY})))
    assert (clerk.start({}).result, desk.done) == (["denied", "denied"], [])


def paying(cents: int):
    return lambda session: session.tool("pay", order="A17", amount_cents=cents).to_json()


def test_a_yes_to_one_call_is_none_to_a_call_of_one_byte_more(platform, desk):
    clerk = agent_at(platform, desk, paying(1200))
    ran = clerk.start({})
    answer_all(clerk)
    again = of_program(clerk, paying(1201)).resume(ran.run)
    assert (again.state, again.waits["arguments"]["amount_cents"], desk.done) == (WAITING, 1201, [])


def test_a_request_whose_words_were_changed_after_the_yes_is_no_approval(platform, desk):
    clerk = agent_at(platform, desk, paying(1200))
    ran = clerk.start({})
    answer_all(clerk)
    with sqlite3.connect(platform.approvals.path) as other:
        found = other.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchall()
        (column,) = [name for name in ("request", "content", "record") if name in found[0][0]]
        table = found[0][0].split()[2]
        other.execute(f"UPDATE {table} SET {column} = replace({column}, '1200', '9200')")
    assert (clerk.resume(ran.run).result["status"], desk.done) == ("denied", [])


def test_a_yes_is_used_once_whatever_else_the_program_asks_for(platform, desk):
    def twice(session):
        return [session.tool("pay", order="A17", amount_cents=1200).to_json()["status"] for _ in range(2)]

    clerk = agent_at(platform, desk, twice)
    ran = clerk.start({})
    answer_all(clerk)
    assert (clerk.resume(ran.run).state, desk.done) == (WAITING, [("A17", 1200)])


class Later:
    """A clock that is ahead of another by some time."""

    def __init__(self, clock, by):
        self._clock, self._by = clock, by

    def wall(self):
        return self._clock.wall() + self._by

    def as_of(self):
        return self._clock.as_of()


def later(clerk, by):
    return replace(clerk, platform=replace(clerk.platform, clock=Later(clerk.platform.clock, by)))


def test_a_yes_that_has_expired_is_none(platform, desk):
    clerk = agent_at(platform, desk, paying(1200))
    ran = clerk.start({})
    answer_all(clerk)
    ended = later(clerk, clerk.agent.budgets.limits.approval).resume(ran.run)
    assert (ended.result["status"], "has expired" in ended.result["reason"], desk.done) == ("denied", True, [])


def test_the_time_for_which_a_person_thinks_is_none_of_the_runs(platform, desk):
    budgets = Budgets(loops=LoopRule(wall=timedelta(hours=1)), limits=Limits(approval=timedelta(days=1)))
    clerk = agent_at(platform, desk, paying(1200), budgets=budgets)
    ran = clerk.start({})
    still = later(clerk, timedelta(hours=5)).resume(ran.run)
    answer_all(clerk)
    assert (still.state, later(clerk, timedelta(hours=10)).resume(ran.run).result["status"]) == (WAITING, "done")


def test_an_agents_own_yes_is_none(platform, desk):
    clerk = agent_at(platform, desk, paying(1200))
    ran = clerk.start({})
    answer_all(clerk, by="Clerk ")
    assert (clerk.resume(ran.run).state, desk.done) == (WAITING, [])


def test_a_yes_to_one_run_is_none_to_another(platform, desk):
    clerk = agent_at(platform, desk, paying(1200))
    other = clerk.start({})
    answer_all(clerk)
    mine = clerk.start({})
    assert (clerk.resume(mine.run).state, desk.done) == (WAITING, [])
    assert clerk.resume(other.run).result["status"] == "done"


def test_a_yes_under_one_policy_is_none_under_another(platform, desk):
    clerk = agent_at(platform, desk, paying(1200))
    ran = clerk.start({})
    answer_all(clerk)
    changed = agent_at(platform, desk, paying(1200), policy=POLICY + "// another\n")
    ended = replace(changed, manifest=clerk.manifest).resume(ran.run)
    assert (ended.result["status"], "another call" in ended.result["reason"], desk.done) == ("denied", True, [])


def test_a_run_of_one_release_is_not_gone_on_with_by_another(platform, desk):
    clerk = agent_at(platform, desk, paying(1200))
    ran = clerk.start({})
    answer_all(clerk)
    other = agent_at(platform, desk, paying(1200), policy=POLICY + "// another\n")
    with pytest.raises(NotAllowed, match="made by release"):
        other.resume(ran.run)
    assert desk.done == []


def test_a_tool_that_hangs_is_unknown_and_never_done_again(platform, desk):
    def program(session):
        return [
            session.tool("note", text="hello").to_json()["status"],
            session.tool("page", name="a").to_json()["status"],
        ]

    desk.hangs.clear()
    clerk = agent_at(platform, desk, program, budgets=Budgets(limits=Limits(tool_seconds=1.0)))
    ran = clerk.start({})
    assert (ran.result, desk.done) == (["unknown", "done"], [])
    desk.hangs.set()
    assert clerk.replay(ran.run).identical
