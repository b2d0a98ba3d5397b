import json
from dataclasses import replace
from decimal import Decimal

import pytest

from ops_pipelines.agentops.evaluation.scores import evaluation_of, scores_of
from ops_pipelines.agentops.evaluation.summary import summarise_agent
from ops_pipelines.agentops.evaluation.task import Expected, Task, TaskSet
from ops_pipelines.agentops.evaluation.task_verdict import (
    MISREAD,
    NEEDLESS,
    RIGHT,
    WRONG_ACTION,
    WRONG_TOOL,
    Effort,
    StepVerdict,
    TaskVerdict,
)
from ops_pipelines.agentops.evaluation.verdicts import (
    FloorRule,
    judge_beside_live,
    judge_floors,
)
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of
from ops_pipelines.llmops.evals.result import EvalRun


def tasks(count: int, clusters: int | None = None) -> TaskSet:
    """So many tasks, of some clusters; each a cluster of its own without them."""
    made = [Task(f"t{n}", {}, Expected(calls=()), cluster=f"c{n % clusters}" if clusters else "") for n in range(count)]
    return TaskSet("oncall", tuple(made), f"digest of {count}")


def verdict_on(
    task: Task, *, success: bool | None = True, kinds: tuple[str, ...] = (), **others: object
) -> TaskVerdict:
    steps = tuple(StepVerdict(str(at), "look", kind, decisive=kind == WRONG_ACTION) for at, kind in enumerate(kinds))
    why = () if success else ("because",)
    return TaskVerdict(task.id, task.draw, "run", success, why, steps, **others)


def run_with(failures: int, of: TaskSet) -> EvalRun:
    verdicts = [verdict_on(task, success=at >= failures) for at, task in enumerate(of.tasks)]
    return evaluation_of("release", of, verdicts)


def test_a_runs_scores_say_in_what_its_steps_were_right():
    scores = scores_of(verdict_on(tasks(1).tasks[0], kinds=(RIGHT, RIGHT, MISREAD, NEEDLESS)))
    assert (scores["right steps"], scores["reading"], scores["no needless step"]) == (0.5, 0.75, 0.75)
    assert (scores["tool choice"], scores["success"], scores["recovery"]) == (1.0, 1.0, 1.0)


def test_a_run_that_nobody_can_judge_and_a_task_that_was_not_run_are_missing_and_never_zero():
    two = tasks(3)
    run = evaluation_of("release", two, [verdict_on(two.tasks[0]), verdict_on(two.tasks[1], success=None)])
    summary = summarise_agent(run, [verdict_on(two.tasks[0]), verdict_on(two.tasks[1], success=None)])
    assert summary.rates["success"].row()["mean"] == 1.0
    assert summary.rates["success"].missing == 2
    assert isinstance(judge_floors(run, FloorRule({"success": 0.5})), NotEvaluated)


def test_an_agent_is_summed_up_by_kinds_of_steps_by_what_was_decisive_and_by_what_it_took():
    of = tasks(4)
    verdicts = [
        verdict_on(of.tasks[0], kinds=(RIGHT,), effort=Effort(5, 1, Decimal("0.01"))),
        verdict_on(of.tasks[1], success=False, kinds=(WRONG_TOOL, NEEDLESS), effort=Effort(9, 2, Decimal("0.02"))),
        verdict_on(of.tasks[2], success=False, kinds=(WRONG_ACTION,), effort=Effort(7, 1, Decimal("0.01"))),
        verdict_on(of.tasks[3], kinds=(WRONG_TOOL, RIGHT), effort=Effort(30, 2, None)),
    ]
    summary = summarise_agent(evaluation_of("release", of, verdicts), verdicts)
    assert (summary.kinds[WRONG_TOOL], summary.decisive) == (2, {WRONG_ACTION: 1})
    assert (summary.added_up, summary.recovered) == (1, 1)
    assert (summary.steps.median, summary.steps.most, summary.usd.most, summary.usd.unknown) == (7, 30, None, 1)


def test_an_agent_that_reaches_its_floors_passes_and_one_below_is_blocked_with_the_tasks():
    rule = FloorRule({"success": 0.9})
    assert isinstance(judge_floors(run_with(1, tasks(20)), rule), Passed)
    blocked = judge_floors(run_with(3, tasks(20)), rule)
    assert isinstance(blocked, Blocked)
    assert "t0: because" in reasons_of(blocked)[0]


def test_too_few_tasks_are_no_proof_however_well_they_went():
    rule = FloorRule({"success": 0.9}, surely={"success": 0.8})
    few = judge_floors(run_with(0, tasks(10)), rule)
    assert isinstance(few, NotEvaluated)
    assert "surely only above 0.741, where 0.800 is asked for" in few.why
    assert isinstance(judge_floors(run_with(0, tasks(14)), rule), Passed)
    assert isinstance(judge_floors(run_with(0, tasks(140, clusters=10)), rule), NotEvaluated)


def test_a_floor_of_a_score_that_there_is_not_is_refused_with_a_near_miss():
    with pytest.raises(ConfigError, match="Did you mean 'success'"):
        FloorRule({"sucess": 0.9})


def test_a_candidate_that_is_worse_than_what_is_live_is_blocked_and_the_same_one_passes():
    of = tasks(40)
    assert isinstance(judge_beside_live(run_with(12, of), run_with(0, of)), Blocked)
    assert judge_beside_live(run_with(2, of), run_with(2, of)).evidence["found"] == "nothing changed"


def test_a_candidate_that_lost_one_of_a_few_tasks_cannot_be_told_from_what_is_live():
    of = tasks(12)
    assert isinstance(judge_beside_live(run_with(1, of), run_with(0, of)), NotEvaluated)


def test_runs_on_other_tasks_or_judged_otherwise_are_not_compared():
    assert isinstance(judge_beside_live(run_with(0, tasks(20)), run_with(0, tasks(21))), NotEvaluated)
    now = run_with(0, tasks(20))
    then = replace(now, scorers={**now.scorers, "success": "0"})
    assert isinstance(judge_beside_live(now, then), NotEvaluated)


def test_repeats_of_a_task_are_averaged_and_count_once():
    of = tasks(2)
    verdicts = [verdict_on(task, success=repeat > 0, repeat=repeat) for task in of.tasks for repeat in range(4)]
    rate = summarise_agent(evaluation_of("release", of, verdicts), verdicts).rates["success"]
    assert (rate.proportion.share, rate.tasks, rate.proportion.draws) == (0.75, 2, 2)


def test_an_evaluation_of_an_agent_is_kept_and_read_back_like_any_other():
    of = tasks(3)
    run = evaluation_of("release", of, [verdict_on(task, kinds=(RIGHT, MISREAD)) for task in of.tasks])
    assert EvalRun.from_json(json.loads(json.dumps(run.to_json()))) == run


def test_a_verdict_is_a_row_of_plain_values():
    row = verdict_on(
        tasks(1).tasks[0], success=False, kinds=(WRONG_ACTION,), effort=Effort(3, 1, Decimal("0.002"))
    ).row()
    assert (row["misstep"], row["usd"], row["success"]) == ("wrong action: ", "0.002", False)
