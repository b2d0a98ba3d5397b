"""Whole runs that go in circles, spend too much, or only work hard: who is stopped, and who is not."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import count

import pytest

from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.recording import Outcome, StepFailed
from ops_pipelines.agentops.run_state import DONE, WAITING
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.testing.open_agents import Desk, agent_at, answer_all, platform_in


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def clerk(tmp_path, monkeypatch, desk):
    monkeypatch.chdir(tmp_path)
    platform = platform_in(tmp_path)
    return lambda program, **others: agent_at(platform, desk, program, **others)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_a_run_that_goes_in_circles_with_changing_ids_is_stopped_within_three_periods(clerk, desk, period, seed):
    tickets = count(1000 * seed + 417)

    class Changing(dict):
        def get(self, name, default=None):
            return {"ticket": f"req-{next(tickets):08d}", "page": f"the page {name} says wait"}

    def program(session):
        for turn in range(10 * period):
            if session.tool("page", name=f"{'abcd'[turn % period]}{seed}").to_json()["status"] == "denied":
                return turn
        return None

    desk.shown = Changing()
    ran = clerk(program).start({})
    assert ran.result is not None
    assert ran.result <= 3 * period


def test_a_circle_is_known_again_when_the_run_goes_on(clerk):
    def program(session):
        told = [session.tool("page", name="a").to_json()["status"] for _ in range(2)]
        session.tool("pay", order="A17", amount_cents=1)
        return [*told, *(session.tool("page", name="a").to_json()["status"] for _ in range(3))]

    ran = (agent := clerk(program)).start({})
    answer_all(agent)
    ended = agent.resume(ran.run)
    assert (ran.state, ended.state, ended.result[-1]) == (WAITING, DONE, "denied")


def test_a_worker_on_a_batch_of_records_is_never_stopped(clerk, desk):
    desk.shown = {f"R{number}": {"id": f"R{number}", "amount_cents": 100} for number in range(100)}

    def program(session):
        with ThreadPoolExecutor(2) as pool:
            return sum(
                answer.to_json()["status"] == "done"
                for answer in pool.map(lambda n: session.tool("order", id=f"R{n}"), range(100))
            )

    assert clerk(program).start({}).result == 100


@pytest.mark.long
def test_a_worker_on_five_hundred_records_is_never_stopped(clerk):
    def program(session):
        done = 0
        for number in range(500):
            found = session.tool("order", id=f"R{number}").to_json()
            done += session.tool("note", text=f"R{number} {found['result']}").to_json()["status"] == "done"
        return done

    assert clerk(program, budgets=Budgets(loops=LoopRule(steps=2000))).start({}).result == 500


def test_four_children_at_once_never_spend_more_than_their_parent_may(clerk):
    budgets = Budgets(limit_usd=Decimal("0.10"), prices={"model:m": Decimal("0.01"), "page": Decimal("0.01")})

    def work(session, child):
        worker, asked = session.inside(f"worker-{child}", {"part": child}), 0
        for number in range(8):
            try:
                worker.model("m", {"ask": [child, number]}, lambda _: Outcome("well", 1, 10_000_000))
            except StepFailed:
                return asked
            asked += worker.tool("page", name=f"{child}/{number}").to_json()["status"] == "done"
            asked += 1
        return asked

    def program(session):
        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(lambda child: work(session, child), range(4)))

    agent = clerk(program, budgets=budgets)
    ran, now = agent.start({}), agent.platform.clock.wall()
    spent = Purse(ran.run, budgets.limit_usd).spent(agent.platform.budgets, now)
    assert ran.result <= 10
    assert spent.total <= 100_000_000


def test_a_child_that_waits_for_a_person_goes_on_with_its_run(clerk, desk):
    def program(session):
        worker = session.inside("worker", {"order": "A17"})
        return worker.tool("pay", order="A17", amount_cents=1).to_json()["status"]

    ran = (agent := clerk(program)).start({})
    answer_all(agent)
    assert (ran.state, agent.resume(ran.run).result, desk.done) == (WAITING, "done", [("A17", 1)])
