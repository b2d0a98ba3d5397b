"""A recorded run of a task judged: success, and each of its tool calls.

A run succeeds when it returned what was expected, made every call that was needed, handed on every value that had to be
read, and did nothing wrong that counts: an action that may never be done, one that nobody expected, or an expected one with
wrong arguments, too early or twice. Whatever only reads can be done in vain or wrongly, and be made good.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from ops_pipelines.agentops.evaluation.alignment import align
from ops_pipelines.agentops.evaluation.calls import Ended, Made, calls_made, end_of
from ops_pipelines.agentops.evaluation.matching import ABSENT, differing
from ops_pipelines.agentops.evaluation.missteps import StepJudge
from ops_pipelines.agentops.evaluation.readings import is_handed_on
from ops_pipelines.agentops.evaluation.task import Expected, Task
from ops_pipelines.agentops.evaluation.task_verdict import Effort, StepVerdict, TaskVerdict
from ops_pipelines.agentops.notes import FAILURE, RESULT, WAITS
from ops_pipelines.agentops.run_log import Recording, summary_of
from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.cost import from_nanos


def judge_task(task: Task, recording: Recording, *, acts: Collection[str], repeat: int = 0) -> TaskVerdict:
    """What became of a run of a task. `acts` are the tools that change something, or let something out.

    Without a step, or with a payload that was shortened or is gone, nobody can tell, and `success` is None; nor of a run of
    a release of ours that has not ended, or waits. A run of another system never says that it has ended.
    """
    try:
        made, ended = calls_made(recording), end_of(recording)
    except (DataError, KeyError) as error:
        unread = error.wrong if isinstance(error, DataError) else f"the payload {error} is not there"
        return cannot_judge(task, unread, run=recording.run, repeat=repeat)
    if why := _unended(recording, ended):
        return cannot_judge(task, why, run=recording.run, repeat=repeat)
    return _judged(task, recording, (made, ended), acts, repeat)


def cannot_judge(task: Task, why: str, *, run: str = "", repeat: int = 0) -> TaskVerdict:
    """The verdict that there is none, and why."""
    return TaskVerdict(task.id, task.draw, run, None, (why,), repeat=repeat)


def _judged(
    task: Task, recording: Recording, did: tuple[Sequence[Made], Ended], acts: Collection[str], repeat: int
) -> TaskVerdict:
    made, ended = did
    aligned = align(task, made)
    steps = StepJudge(task, made, aligned, acts).verdicts()
    lost = [reading for reading in task.expected.reads if not is_handed_on(reading, made)]
    missing = (*(call.shown for call in aligned.missing), *(reading.shown for reading in lost))
    why = (*_wrong_end(task.expected, ended), *(f"missing: {one}" for one in missing), *_harm(steps))
    return TaskVerdict(
        task=task.id,
        cluster=task.draw,
        run=recording.run,
        success=not why,
        why=why,
        steps=steps,
        missing=missing,
        effort=_effort(recording, len(made)),
        repeat=repeat,
    )


def _unended(recording: Recording, ended: Ended) -> str:
    """Why nobody can tell yet what a run comes to; empty where it has come to its end."""
    if not recording.steps:
        return "the run has no step"
    if ended.note == WAITS:
        return "it waits for a person"
    return "it has not ended" if recording.steps[0].release and not ended.note else ""


def _wrong_end(expected: Expected, ended: Ended) -> Iterator[str]:
    if ended.note == FAILURE:
        yield f"it failed: {ended.value}"
    elif expected.outcome is not None and ended.note != RESULT:
        yield "it returned nothing"
    elif expected.outcome is not None:
        for path, should, value in islice(differing(expected.outcome, ended.value), 1):
            found = "nothing" if value is ABSENT else repr(value)
            yield f"it returned {found} {f'at {path} ' if path else ''}where {should!r} was expected"


def _harm(steps: Sequence[StepVerdict]) -> Iterator[str]:
    for step in steps:
        if step.decisive:
            yield f"{step.kind}: {step.why}"


def _effort(recording: Recording, tool_calls: int) -> Effort:
    told = summary_of(recording.steps)
    return Effort(told.steps, tool_calls, None if told.unpriced else from_nanos(told.nanos))
