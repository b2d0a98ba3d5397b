"""A file of tasks as people write it, all of whose mistakes are found at once, with their lines.

    tasks:
      - id: june-storm
        task: {alarm: prediction drift, system: flight_delay}
        world:
          - {tool: releases, answers: [{result: {live: r7, before: r6}}]}
        person: approve
        expected:
          calls: [{tool: releases}, {tool: roll_back, arguments: {to: r6}}]
          before: [[releases, roll_back]]

Unknown keys are refused: a misspelt `nevr` would be a wrong action that nobody looks for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ops_pipelines.agentops.evaluation.task import (
    ABSENT_PERSON,
    Answering,
    CallPattern,
    Expected,
    ExpectedCall,
    Reading,
    Task,
    TaskSet,
    WorldAnswer,
)
from ops_pipelines.agentops.evaluation.task_shape import ANY, Mistake, mistakes_in
from ops_pipelines.core.errors import DataError, near_miss
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.strict_yaml import YamlError, read_strictly

_SHOWN = 5


def read_tasks(agent: str, text: str) -> TaskSet:
    """The tasks of a text in its order; DataError with each mistake and its line, and for a text without a task."""
    try:
        content, lines = read_strictly(text)
    except YamlError as error:
        raise _wrong(agent, [f"line {error.line}: {error.wrong}"]) from error
    found = list(mistakes_in(content))
    if not found:
        tasks = tuple(_task(one) for one in content["tasks"])
        found = [*_repeated(tasks), *(each for at, task in enumerate(tasks) for each in _contradictions(at, task))]
        if not found:
            return TaskSet(agent, tasks, digest_json(content))
    raise _wrong(agent, [f"line {_line(path, lines)}: {what}" for path, what in found])


def _task(record: Mapping[str, Any]) -> Task:
    return Task(
        id=record["id"],
        given=record["task"],
        expected=_expected(record["expected"]),
        world=tuple(_answering(one) for one in record.get("world", ())),
        person=record.get("person", ABSENT_PERSON),
        persons=record.get("persons", {}),
        cluster=record.get("cluster", ""),
    )


def _expected(record: Mapping[str, Any]) -> Expected:
    calls = record.get("calls")
    return Expected(
        outcome=record.get("outcome"),
        calls=None if calls is None else tuple(_call(one) for one in calls),
        before=tuple((first, second) for first, second in record.get("before", ())),
        never=tuple(_pattern(one) for one in record.get("never", ())),
        reads=tuple(
            Reading(one["from"], one["value"], one["tool"], one["argument"]) for one in record.get("reads", ())
        ),
        may=tuple(_pattern(one) for one in record.get("may", ())),
    )


def _pattern(record: Mapping[str, Any]) -> CallPattern:
    return CallPattern(record["tool"], _arguments(record))


def _call(record: Mapping[str, Any]) -> ExpectedCall:
    return ExpectedCall(record["tool"], _arguments(record), record.get("name", record["tool"]))


def _arguments(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    given = record.get("arguments", ANY)
    return None if given == ANY else given


def _answering(record: Mapping[str, Any]) -> Answering:
    answers = tuple(WorldAnswer(one.get("result"), one.get("error", "")) for one in record["answers"])
    return Answering(_pattern(record), answers)


def _contradictions(at: int, task: Task) -> Iterator[Mistake]:
    """What no run could fulfil, and what would judge nothing."""
    path, expected = f"tasks.{at}.expected", task.expected
    if not expected.asks_something:
        yield path, "nothing is expected: name an outcome, calls, reads, or what may never be done"
    yield from _wrong_order(f"{path}.before", expected)
    for place, call in enumerate(expected.calls or ()):
        if call.arguments is not None and any(never.fits(call.tool, call.arguments) for never in expected.never):
            yield f"{path}.calls.{place}", f"{call.shown} is needed, and may never be done"


def _wrong_order(path: str, expected: Expected) -> Iterator[Mistake]:
    names = [call.name for call in expected.calls or ()]
    for place, pair in enumerate(expected.before):
        for name in pair:
            if name not in names:
                yield f"{path}.{place}", f"no call is named {name!r}. {near_miss(name, names)}"
            elif names.count(name) > 1:
                yield f"{path}.{place}", f"{names.count(name)} calls are named {name!r}: give each a name"
    if _has_cycle(expected.before):
        yield path, "these pairs go round in a circle"


def _has_cycle(pairs: Sequence[tuple[str, str]]) -> bool:
    left = set(pairs)
    while left:
        later = {second for _, second in left}
        free = {pair for pair in left if pair[0] not in later}
        if not free:
            return True
        left -= free
    return False


def _repeated(tasks: Sequence[Task]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for at, task in enumerate(tasks):
        if first.setdefault(task.id, at) != at:
            yield f"tasks.{at}", f"the id {task.id!r} is that of task {first[task.id] + 1}"


def _line(path: str, lines: Mapping[str, int]) -> int:
    """The line of a path, or of the nearest part that holds it."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)


def _wrong(agent: str, mistakes: Sequence[str]) -> DataError:
    more = len(mistakes) - _SHOWN
    shown = "; ".join(mistakes[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return DataError(
        f"The tasks of the agent {agent!r} cannot be used: {shown}",
        expected="tasks with an id, what is given and what is expected of each",
        action="Correct these lines",
        agent=agent,
        mistakes=list(mistakes),
    )
