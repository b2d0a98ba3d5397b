"""Recorded runs judged by tasks: a run is one of a task where it was given what the task gives.

What a log keeps has marks in place of secrets and personal data. What a task expects is given the same marks, by the log's
own redactor, before the two are compared; without its key two addresses have the same mark, and cannot be told apart.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ops_pipelines.agentops.evaluation.judging import judge_task
from ops_pipelines.agentops.evaluation.matching import is_same
from ops_pipelines.agentops.evaluation.task import CallPattern, Expected, Task, TaskSet
from ops_pipelines.agentops.evaluation.task_verdict import TaskVerdict
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.replay import begun_with
from ops_pipelines.agentops.run_log import Recording
from ops_pipelines.core.errors import DataError

_Pattern = TypeVar("_Pattern", bound=CallPattern)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Verdicts on the runs of some tasks, and the runs that are of none of them."""

    verdicts: tuple[TaskVerdict, ...]
    of_no_task: tuple[str, ...]


def judge_recorded(
    tasks: TaskSet, recordings: Iterable[Recording], *, acts: Collection[str], redactor: Redactor
) -> Recorded:
    """The verdict on each run of one of the tasks, in the order of the runs; several of one task are its repeats.

    `redactor` is that of the log.
    """
    known = [redacted(task, redactor) for task in tasks.tasks]
    verdicts: list[TaskVerdict] = []
    others: list[str] = []
    for recording in recordings:
        task = next((one for one in known if _was_given(recording, one.given)), None)
        if task is None:
            others.append(recording.run)
            continue
        repeat = sum(verdict.task == task.id for verdict in verdicts)
        verdicts.append(judge_task(task, recording, acts=acts, repeat=repeat))
    return Recorded(tuple(verdicts), tuple(others))


def redacted(task: Task, redactor: Redactor) -> Task:
    """The task with the marks that its runs have in a log; its world is as it was."""
    expected = task.expected
    marked = Expected(
        outcome=redactor.value(expected.outcome),
        calls=None if expected.calls is None else tuple(_marked(expected.calls, redactor)),
        before=expected.before,
        never=tuple(_marked(expected.never, redactor)),
        reads=expected.reads,
        may=tuple(_marked(expected.may, redactor)),
    )
    return replace(task, given=redactor.value(task.given), expected=marked)


def _marked(patterns: Iterable[_Pattern], redactor: Redactor) -> Iterator[_Pattern]:
    for one in patterns:
        arguments = None if one.arguments is None else redactor.value(dict(one.arguments))
        yield replace(one, arguments=arguments)


def _was_given(recording: Recording, given: Any) -> bool:
    """Whether the run began with this; a run whose beginning is not there as a whole is of no task."""
    try:
        first: Any = recording.value(begun_with(recording).inputs) if recording.steps else None
    except (DataError, KeyError):
        return False
    return bool(recording.steps) and is_same(first, given)
