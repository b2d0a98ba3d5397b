"""Calls and answers wherever they lie by now: in the log, or compacted in the lake. What is in both is told once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.clock import Window, window_of_day
from ops_pipelines.core.lineage import address
from ops_pipelines.llmops.answer_log import Answered, day_of_answer
from ops_pipelines.llmops.answer_table import ANSWERS, answered_of_row, answers_of_table
from ops_pipelines.llmops.answer_table import ID as ANSWER_ID
from ops_pipelines.llmops.call_log import Call
from ops_pipelines.llmops.call_table import CALLS, calls_of_table


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """An answer, and the `key@partition` that it lies at; None where it is in the log still."""

    answered: Answered
    where: str | None


def calls_in(platform: Platform, window: Window, system: str | None = None) -> Iterator[Call]:
    """The calls that were made in a window, of one system or of all: those of the lake, then what only the log has."""
    days = (calls_of_table(platform.lake.read(*day)) for day in _days(platform, CALLS, window, system))
    compacted = (call for calls in days for call in calls if window.start <= call.called_at < window.end)
    return _once_each(compacted, platform.calls.calls(window, system))


def answers_in(platform: Platform, window: Window, system: str | None = None) -> Iterator[Answered]:
    """The answers to what was asked in a window, likewise."""
    days = (answers_of_table(platform.lake.read(*day)) for day in _days(platform, ANSWERS, window, system))
    compacted = (one for answers in days for one in answers if window.start <= one.asked_at < window.end)
    return _once_each(compacted, platform.answers.answers(window, system))


Record = TypeVar("Record", Call, Answered)


def _once_each(compacted: Iterable[Record], logged: Iterable[Record]) -> Iterator[Record]:
    """What was compacted, and then what only the log has."""
    seen = set()
    for one in compacted:
        seen.add(one.id)
        yield one
    yield from (one for one in logged if one.id not in seen)


def find_answer(platform: Platform, id: str) -> FoundAnswer | None:
    """The answer of an id; None where nobody has it. An id that names its day is looked for there first."""
    for where in _places(platform, id):
        key, _, day = where.partition("@")
        row = platform.lake.row(key, day, column=ANSWER_ID, value=id, take=_COLUMNS)
        if row:
            return FoundAnswer(answered_of_row(row), where)
    logged = platform.answers.find(id)
    return FoundAnswer(logged, None) if logged else None


_COLUMNS = (
    *("asked_at", "system", "release", "feature", "tenant", "environment", "question", "outcome", "error"),
    *("calls", "answer"),
)
"""What an answer is read back from."""


def _places(platform: Platform, id: str) -> Iterable[str]:
    named = day_of_answer(id)
    if named:
        system, day = named
        return [address(f"{system}/{ANSWERS}", day)]
    days = [(key, day) for key in _keys(platform, ANSWERS, None) for day in platform.lake.partitions(key)]
    return [address(key, day) for key, day in sorted(days, key=lambda found: found[1], reverse=True)]


def _days(platform: Platform, part: str, window: Window, system: str | None) -> Iterator[tuple[str, str]]:
    """Each compacted day that touches a window."""
    for key in _keys(platform, part, system):
        for day in platform.lake.partitions(key):
            span = window_of_day(day)
            if span.start < window.end and window.start < span.end:
                yield key, day


def _keys(platform: Platform, part: str, system: str | None) -> list[str]:
    systems = platform.lake.systems_with(part) if system is None else [system]
    return [f"{name}/{part}" for name in systems]
