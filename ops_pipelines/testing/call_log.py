"""The fake of `llmops.call_log.CallLog`, and the conformance suite that the fake and every adapter run.

A team that writes a log of its own subclasses the suite and gives it a fixture named `log`.
"""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from threading import Lock
from typing import Any

import pytest

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.call_log import ANSWERED, Call, CallLog
from ops_pipelines.llmops.chat_model import Usage

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = Window(MONDAY, MONDAY + timedelta(weeks=1))
_MICROSECOND = timedelta(microseconds=1)


class MemoryCallLog:
    """A CallLog that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[str, Call] = {}

    def keep(self, calls: Sequence[Call]) -> None:
        with self._lock:
            for call in [_as_kept(call) for call in calls]:
                self._calls.setdefault(call.id, call)

    def calls(self, window: Window, system: str | None = None) -> Iterator[Call]:
        with self._lock:
            kept = list(self._calls.values())
        for call in kept:
            if window.start <= call.called_at < window.end and system in (None, call.caller.system):
                yield call

    def find(self, id: str) -> Call | None:
        with self._lock:
            return self._calls.get(id)

    def forget(self, ids: Collection[str]) -> int:
        with self._lock:
            return sum(self._calls.pop(id, None) is not None for id in ids)


def call_of(id: str, *, at: datetime = MONDAY, **changes: Any) -> Call:
    """A call with this id, made at this instant; `changes` are fields of the call, or of its caller."""
    caller = {name: changes.pop(name) for name in ("system", "release", "feature", "tenant") if name in changes}
    call = Call(
        id=id,
        caller=replace(Caller("runbook_answers", "ab" * 32, "console", "acme"), **caller),
        provider="openai",
        model="desk",
        answered_by="desk-1",
        request="cd" * 32,
        called_at=at,
        outcome=ANSWERED,
        usage=Usage(1200, 80),
        usd=Decimal("0.00021"),
        latency_ms=812.5,
        finish="stop",
        text="Roll it back [docs/rollback.md#2].",
        facts={"question": "What now?", "chunks": ["docs/rollback.md#2"]},
    )
    return replace(call, **changes)


class CallLogConformance:
    """What every CallLog guarantees, as tests of the fixture `log`."""

    def test_returns_what_was_kept_unchanged(self, log: CallLog) -> None:
        call = call_of(
            "naïve ☂", at=MONDAY + _MICROSECOND, usage=Usage(1, 2, is_estimate=True), usd=Decimal("1.000000001")
        )
        log.keep([call])
        assert log.find("naïve ☂") == call
        assert list(log.calls(WEEK)) == [call]

    def test_what_is_unknown_comes_back_unknown_and_what_was_free_as_nothing(self, log: CallLog) -> None:
        log.keep([call_of("a", usage=None, usd=None, outcome="cut", text=""), call_of("b", usd=Decimal(0))])
        first, second = log.calls(WEEK)
        assert (first.usage, first.usd, second.usd) == (None, None, Decimal(0))

    def test_an_instant_comes_back_as_the_same_instant_in_utc(self, log: CallLog) -> None:
        log.keep([call_of("a", at=MONDAY.astimezone(timezone(timedelta(hours=-5))))])
        (found,) = log.calls(WEEK)
        assert (found.called_at, found.called_at.tzinfo) == (MONDAY, UTC)

    def test_calls_come_back_in_the_order_in_which_they_were_kept(self, log: CallLog) -> None:
        for number, ids in enumerate((["c", "a"], ["b"])):
            log.keep([call_of(name, at=MONDAY + timedelta(days=2 - number)) for name in ids])
        assert [found.id for found in log.calls(WEEK)] == ["c", "a", "b"]

    def test_keeping_an_id_again_changes_nothing(self, log: CallLog) -> None:
        log.keep([call_of("a", text="first")])
        log.keep([call_of("a", text="second"), call_of("b")])
        assert next((found.id, found.text) for found in log.calls(WEEK)) == ("a", "first")

    def test_a_window_holds_its_start_and_not_its_end(self, log: CallLog) -> None:
        instants = {"before": WEEK.start - _MICROSECOND, "start": WEEK.start, "end": WEEK.end}
        log.keep([call_of(name, at=at) for name, at in instants.items()])
        assert [found.id for found in log.calls(WEEK)] == ["start"]

    def test_systems_are_kept_apart_where_one_is_named(self, log: CallLog) -> None:
        log.keep([call_of("a"), call_of("b", system="desk")])
        assert [found.id for found in log.calls(WEEK, "desk")] == ["b"]
        assert len(list(log.calls(WEEK))) == 2

    def test_what_is_forgotten_is_gone_and_counted_and_the_rest_stays(self, log: CallLog) -> None:
        log.keep([call_of("a"), call_of("b"), call_of("c")])
        assert (log.forget({"a", "c", "nobody's"}), log.forget(["a"]), log.forget([])) == (2, 0, 0)
        assert [found.id for found in log.calls(WEEK)] == ["b"]

    def test_an_empty_log_has_no_call_and_forgets_nothing(self, log: CallLog) -> None:
        log.keep([])
        assert (list(log.calls(WEEK)), log.find("x"), log.forget(["x"])) == ([], None, 0)

    def test_a_call_that_cannot_be_kept_is_refused_with_all_that_came_with_it(self, log: CallLog) -> None:
        with pytest.raises(DataError, match="wrong"):
            log.keep([call_of("a"), call_of("wrong", facts={"score": float("nan")})])
        assert log.find("a") is None

    def test_threads_that_keep_at_once_lose_nothing(self, log: CallLog) -> None:
        def keep(worker: int) -> None:
            for number in range(25):
                log.keep([call_of(f"{worker}-{number}-{row}") for row in range(4)])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(keep, range(4)))
        assert len({found.id for found in log.calls(WEEK)}) == 400


def _as_kept(call: Call) -> Call:
    try:
        canonical_json(dict(call.facts))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The call {call.id!r} cannot be kept: {error}", expected="plain values", action="Keep text instead"
        ) from error
    return replace(call, called_at=utc(call.called_at), facts=dict(call.facts))
