"""The fake of `core.audit.AuditLog`, and the conformance suite that the fake and every adapter run.

A team that writes a log of its own subclasses the suite and gives it a fixture named `log`:

    class TestOurLog(AuditLogConformance):
        @pytest.fixture
        def log(self, tmp_path):
            return OurLog(tmp_path)
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier, Lock
from typing import Any

import pytest

from ops_pipelines.core.audit import BEGINS, AuditLog, Entry, Row, entry_after, read_entry, row_of, verify
from ops_pipelines.core.verdict import NotEvaluated, Passed

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)


class InMemoryAuditLog:
    """An AuditLog that forgets with its process. Like a real one it keeps texts and not the caller's objects."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: list[Row] = []

    def append(self, *, at: datetime, actor: str, action: str, subject: str, facts: Mapping[str, Any]) -> Entry:
        with self._lock:
            last = read_entry(self._rows[-1]) if self._rows else None
            begun = last or entry_after(None, at=at, actor=actor, action=BEGINS, subject="memory", facts={"heads": []})
            entry = entry_after(begun, at=at, actor=actor, action=action, subject=subject, facts=facts)
            self._rows += [row_of(one) for one in ((entry,) if last else (begun, entry))]
        return entry

    def rows(self) -> tuple[Row, ...]:
        with self._lock:
            return tuple(self._rows)


def tell(log: AuditLog, action: str = "promote", *, actor: str = "ada", at: datetime = MONDAY, **facts: Any) -> Entry:
    """Appends what somebody did to flight_delay."""
    return log.append(at=at, actor=actor, action=action, subject="flight_delay", facts=facts)


class AuditLogConformance:
    """What every AuditLog guarantees, as tests of the fixture `log`."""

    def test_is_empty_and_not_evaluated_before_the_first_entry(self, log: AuditLog) -> None:
        assert log.rows() == ()
        assert isinstance(verify(log.rows()), NotEvaluated)

    def test_returns_what_was_appended_after_the_entry_that_begins_it(self, log: AuditLog) -> None:
        entry = tell(log, reason="naïve ☂", loss=0.1 + 0.2, none=None, at=MONDAY + timedelta(microseconds=7))
        begins, kept = (read_entry(row) for row in log.rows())
        assert (begins.action, begins.sequence, begins.previous) == (BEGINS, 1, "")
        assert kept == entry
        assert (kept.sequence, kept.previous) == (2, begins.hash)

    def test_entries_come_in_order_and_verify(self, log: AuditLog) -> None:
        told = [tell(log, action) for action in ("promote", "rollback", "override")]
        assert [read_entry(row) for row in log.rows()][1:] == told
        assert verify(log.rows()) == Passed({"entries": 4, "head": told[-1].hash})

    def test_an_instant_is_kept_in_utc(self, log: AuditLog) -> None:
        tell(log, at=MONDAY.astimezone(timezone(timedelta(hours=-5))))
        assert read_entry(log.rows()[-1]).at == MONDAY

    def test_keeps_what_was_said_and_not_the_callers_object(self, log: AuditLog) -> None:
        facts = {"reason": "it is better"}
        log.append(at=MONDAY, actor="ada", action="promote", subject="flight_delay", facts=facts)
        facts["reason"] = "another"
        assert read_entry(log.rows()[-1]).facts == {"reason": "it is better"}

    def test_facts_that_are_no_json_are_refused_and_nothing_is_written(self, log: AuditLog) -> None:
        with pytest.raises(ValueError, match="JSON"):
            tell(log, loss=float("nan"))
        assert log.rows() == ()

    def test_threads_that_append_at_once_lose_no_entry(self, log: AuditLog) -> None:
        start = Barrier(4)

        def work(actor: str) -> None:
            start.wait()
            for number in range(5):
                tell(log, actor=actor, number=number)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, ["ada", "bob", "eve", "zoe"]))
        assert len(log.rows()) == 21
        assert isinstance(verify(log.rows()), Passed)
