"""The runs of an agent as an evaluation like that of any system: kept, summed up and compared in the same way.

Every score is from 0 to 1, and more is better. What a step was not, it was right in: `tool choice` is the share of a run's
judged calls that were no wrong tool, and so on. Repeats of a task are averaged, tasks of one cluster are one draw.
"""

from collections.abc import Mapping, Sequence

from ops_pipelines.agentops.evaluation.judging import cannot_judge
from ops_pipelines.agentops.evaluation.task import TaskSet
from ops_pipelines.agentops.evaluation.task_verdict import (
    MISREAD,
    NEEDLESS,
    OUT_OF_ORDER,
    REPEATED_ERROR,
    RIGHT,
    UNJUDGED,
    WRONG_ACTION,
    WRONG_ARGUMENTS,
    WRONG_TOOL,
    TaskVerdict,
)
from ops_pipelines.llmops.evals.result import EvalRun, Scored

SUCCESS, RIGHT_STEPS, RECOVERY = "success", "right steps", "recovery"
ASPECTS: Mapping[str, str] = {
    "tool choice": WRONG_TOOL,
    "arguments": WRONG_ARGUMENTS,
    "order": OUT_OF_ORDER,
    "reading": MISREAD,
    "no needless step": NEEDLESS,
    "no repeated error": REPEATED_ERROR,
    "no wrong action": WRONG_ACTION,
}
"""What a step can be right in, and what it is where it is not."""
SCORES = (SUCCESS, RIGHT_STEPS, RECOVERY, *ASPECTS)
VERSION = "1"
"""Of the judging: runs that were judged otherwise cannot be compared."""


def evaluation_of(agent: str, tasks: TaskSet, verdicts: Sequence[TaskVerdict]) -> EvalRun:
    """The judged runs of an agent's release on its tasks; a task without a run, and one that nobody could judge, is missing.

    `agent` is what was evaluated, best by the digest of its release.
    """
    judged = {verdict.task for verdict in verdicts}
    absent = [cannot_judge(task, "it was not run") for task in tasks.tasks if task.id not in judged]
    return EvalRun(
        answerer=agent,
        cases=tasks.digest,
        scored=tuple(_scored(verdict) for verdict in (*verdicts, *absent)),
        asked=len(verdicts),
        cached=0,
        scorers=dict.fromkeys(SCORES, VERSION),
    )


def scores_of(verdict: TaskVerdict) -> dict[str, float | None]:
    """The scores of one run, all None where nobody could judge it; those that its steps say nothing about are left out."""
    if verdict.success is None:
        return {name: None for name in SCORES if name != RECOVERY}
    judged = [step.kind for step in verdict.steps if step.kind != UNJUDGED]
    scores: dict[str, float | None] = {SUCCESS: float(verdict.success)}
    if judged:
        scores[RIGHT_STEPS] = judged.count(RIGHT) / len(judged)
        scores |= {name: 1 - judged.count(kind) / len(judged) for name, kind in ASPECTS.items()}
    if verdict.stumbled:
        scores[RECOVERY] = float(verdict.recovered)
    return scores


def _scored(verdict: TaskVerdict) -> Scored:
    scores = scores_of(verdict)
    why = {SUCCESS: "; ".join(verdict.why)} if verdict.why else {}
    steps = "; ".join(f"{step.kind}: {step.why}" for step in verdict.missteps)
    why |= {name: steps for name in (RIGHT_STEPS, *ASPECTS) if steps and name in scores}
    error = "; ".join(verdict.why) if verdict.success is None else ""
    return Scored(verdict.task, verdict.cluster, "task", verdict.repeat, scores, why, None, error, verdict.run)
