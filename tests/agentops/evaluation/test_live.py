from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops_pipelines.agentops.evaluation.live import TaskRun, run_tasks
from ops_pipelines.agentops.evaluation.task_file import read_tasks
from ops_pipelines.agentops.evaluation.task_verdict import REPEATED_ERROR, RIGHT, TaskVerdict
from ops_pipelines.agentops.gated import tools_of
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.session import Session
from ops_pipelines.agentops.tool_call import Denied
from ops_pipelines.testing.gates import Broken
from ops_pipelines.testing.refund_agent import program, refund_agent, tools
from ops_pipelines.testing.task_runs import memory_stage, memory_stores

ORDER = "{tool: order, arguments: {id: A-1700}, answers: [{result: {id: A-1700, amount_cents: 1200}}]}"
TASK = f"""
tasks:
  - id: refund
    task: {{order: A-1700}}
    world:
      - {ORDER}
      - {{tool: refund, answers: [{{result: done}}]}}
      - {{tool: note, answers: [{{result: done}}]}}
    person: approve
    expected:
      outcome: {{paid: 1200}}
      calls: [{{tool: order}}, {{tool: refund, arguments: {{amount_cents: 1200}}}}, {{tool: note}}]
      before: [[order, refund], [refund, note]]
      reads: [{{from: order, value: amount_cents, tool: refund, argument: amount_cents}}]
"""
REFUSED = """
      outcome: {}
      calls: [{tool: order}, {tool: refund}]
      never: [{tool: note}]
"""


@pytest.fixture
def agent(tmp_path: Path):
    """The agent with its tools, whose real functions would write under a home."""
    bench = SimpleNamespace(platform=SimpleNamespace(project=SimpleNamespace(home=tmp_path)))
    return refund_agent(tools=tools_of(tools(bench))[0])


def runs(agent, *, text: str = TASK, act=program, repeats: int = 1, stores=memory_stores) -> list[TaskRun]:
    return list(run_tasks(read_tasks("refunds", text), memory_stage(agent, act, stores=stores), repeats=repeats))


def verdict(agent, **others) -> TaskVerdict:
    (run,) = runs(agent, **others)
    return run.verdict


def test_a_task_is_run_through_the_real_gate_to_its_end_and_nothing_outside_is_touched(agent, tmp_path):
    found = verdict(agent)
    assert (found.success, [step.kind for step in found.steps]) == (True, [RIGHT] * 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("person", ["deny", "absent"])
def test_what_a_person_refuses_or_never_answers_is_told_to_the_agent_as_a_denial(agent, person):
    text = TASK.partition("      outcome")[0].replace("approve", person) + REFUSED.lstrip("\n")
    found = verdict(agent, text=text)
    assert (found.success, found.steps[1].foreseen, len(found.steps)) == (True, True, 2)


def test_a_tool_that_fails_first_is_answered_the_second_time(agent):
    text = TASK.replace("[{result: {id", "[{error: it is down}, {result: {id")

    def stubborn(session: Session):
        while isinstance(session.tool("order", id=session.task["order"]), Denied):
            pass
        return program(session)

    found = verdict(agent, text=text, act=stubborn)
    assert (found.success, found.recovered, bool(found.steps[0].error)) == (True, True, True)
    assert verdict(agent, text=text).success is False


def test_an_agent_that_asks_what_its_task_has_no_answer_for_is_told_so_and_not_helped(agent):
    def lost(session: Session):
        return [session.tool("order", id=session.task["order"]).reason for _ in range(2)]

    found = verdict(agent, act=lost, text=TASK.replace("{id: A-1700}, answers", "{id: B-9}, answers"))
    assert (found.success, found.steps[1].kind) == (False, REPEATED_ERROR)
    assert "knows nothing about" in found.steps[0].error


def test_a_program_that_breaks_has_failed_its_task(agent):
    def broken(session: Session):
        raise KeyError("order")

    assert "it failed: KeyError: 'order'" in verdict(agent, act=broken).why


def test_what_a_store_does_not_keep_is_not_judged_and_the_next_task_is_run(agent):
    made = iter([SimpleNamespace(**{**_parts(memory_stores()), "runs": Broken()}), memory_stores()])
    first, second = runs(agent, repeats=2, stores=lambda: next(made))
    assert (first.verdict.success, second.verdict.success, second.verdict.repeat) == (None, True, 1)


def test_what_is_personal_is_not_kept_and_judged_all_the_same(agent):
    text = TASK.replace("A-1700", "bob@acme.example").replace(
        "{tool: order}", "{tool: order, arguments: {id: bob@acme.example}}"
    )
    free = replace(agent, policy=Policy({"free.cedar": '@id("all") permit(principal, action, resource);'}))
    (run,) = runs(free, text=text)
    assert all(b"bob@" not in payload.content for payload in run.recording.payloads.values())
    assert run.verdict.success is True


def test_every_run_of_the_same_program_comes_to_the_same(agent):
    plain = [{**run.verdict.to_json(), "run": "", "repeat": 0} for run in runs(agent, repeats=3)]
    assert plain[0] == plain[1] == plain[2]


def _parts(stores) -> dict:
    return {name: getattr(stores, name) for name in ("approvals", "journal", "decisions", "budgets", "runs")}
