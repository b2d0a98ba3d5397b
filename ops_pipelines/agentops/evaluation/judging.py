"""A recorded run of a task judged: success, and each of its tool calls.

A run succeeds when it returned what was expected, made every call that was needed, handed on every value that had to be
read, and did nothing wrong that counts: an action that may never be done, one that nobody expected, or an expected one with
wrong arguments, too early or twice. Whatever only reads can be done in vain or wrongly, and be made good.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ops_pipelines.agentops.evaluation.alignment import align
from ops_pipelines.agentops.evaluation.calls import calls_made, returned_by
from ops_pipelines.agentops.evaluation.matching import differing, is_within
from ops_pipelines.agentops.evaluation.missteps import Course
from ops_pipelines.agentops.evaluation.readings import is_handed_on
from ops_pipelines.agentops.evaluation.task import Expected, Task
from ops_pipelines.agentops.evaluation.task_verdict import Effort, StepVerdict, TaskVerdict
from ops_pipelines.agentops.run_log import Recording, summary_of
from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.cost import from_nanos


def judge_task(task: Task, recording: Recording, *, acts: Collection[str], repeat: int = 0) -> TaskVerdict:
    """What became of a run of a task. `acts` are the tools that change something, or let something out.

    Without a step, or with a payload that was shortened or is gone, nobody can tell, and `success` is None.
    """
    if not recording.steps:
        return TaskVerdict(task.id, task.draw, recording.run, None, ("the run has no step",), repeat=repeat)
    try:
        made, returned = calls_made(recording), returned_by(recording)
    except (DataError, KeyError) as error:
        unread = error.wrong if isinstance(error, DataError) else f"the payload {error} is not there"
        return TaskVerdict(task.id, task.draw, recording.run, None, (unread,), repeat=repeat)
    aligned = align(task, made)
    steps = Course(task, made, aligned, acts).judged()
    lost = [reading for reading in task.expected.reads if not is_handed_on(reading, made)]
    missing = (*(call.shown for call in aligned.missing), *(reading.shown for reading in lost))
    why = (*_wrong_outcome(task.expected, returned), *(f"missing: {one}" for one in missing), *_harm(steps))
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


def _wrong_outcome(expected: Expected, returned: tuple[Any, ...]) -> Iterator[str]:
    if expected.outcome is None:
        return
    if not returned:
        yield "it returned nothing"
    elif not is_within(expected.outcome, returned[0]):
        where = next(((path, should) for path, should, _ in differing(expected.outcome, returned[0])), ("", None))
        place = f" at {where[0]}" if where[0] else ""
        yield f"it returned {returned[0]!r}, and {where[1]!r} was expected{place}"


def _harm(steps: Sequence[StepVerdict]) -> Iterator[str]:
    for step in steps:
        if step.decisive:
            yield f"{step.kind}: {step.why}"


def _effort(recording: Recording, tool_calls: int) -> Effort:
    told = summary_of(recording.steps)
    return Effort(told.steps, tool_calls, None if told.unpriced else from_nanos(told.nanos))
