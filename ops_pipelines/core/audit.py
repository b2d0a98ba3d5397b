"""The audit log: one chain of what was done to the platform, by whom, which shows when it was changed afterwards.

Each entry carries the hash of the one before, so that a byte that was flipped, an entry that was taken out, put in or
moved is found and named. An entry is written in the transaction of what it tells of: neither is ever there alone.

Two things a chain cannot show by itself: that its very last entries are gone together with what they tell of, and that
somebody wrote the whole of it anew. Both are found by a **head** (the hash of the last entry) that was noted elsewhere:
`ops audit head` prints it, `ops audit verify --head` asks for it. A head of last month stays good; the log has grown since.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.core.clock import not_before, utc
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes, short
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

BEGINS = "audit begins"
"""The action of the first entry, whose facts hold the heads of all pointers so far: earlier moves are covered by them."""

_SHOWN = 5
"""How many reasons are spelled out: the first break is the one to look at, and the rest often follows from it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `subject` is the system, or `principal NAME`; `facts` are plain JSON and never hold a token.

    `at` is the wall clock's instant. `previous` is the hash of the entry before, empty for the first.
    """

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    facts: Mapping[str, Any]
    previous: str

    @property
    def hash(self) -> str:
        """Over every field, the hash of the entry before included."""
        return digest_bytes(self.content)

    @property
    def content(self) -> bytes:
        """The canonical text that the hash is over, read back by `read_entry`."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return canonical_json(values | {"at": utc(self.at).isoformat(), "facts": dict(self.facts)})


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as a log holds it: its number, the bytes of its text, and the hash that was written beside it.

    Nothing of it is believed yet: the bytes need not even be a text any more.
    """

    sequence: int
    content: bytes
    hash: str


class AuditLog(Protocol):
    """Where entries are kept. `ops_pipelines.testing.audit_log` checks an implementation."""

    def append(self, *, at: datetime, actor: str, action: str, subject: str, facts: Mapping[str, Any]) -> Entry:
        """Write what was done after everything else, whoever writes at the same time; the log begins by itself."""

    def rows(self) -> tuple[Row, ...]:
        """Everything as it is held, by number; empty before the first entry."""


def entry_after(
    last: Entry | None, *, at: datetime, actor: str, action: str, subject: str, facts: Mapping[str, Any]
) -> Entry:
    """The entry that follows another, or that opens a log."""
    number, previous = (last.sequence + 1, last.hash) if last else (1, "")
    return Entry(number, not_before(last.at if last else None, at), actor, action, subject, facts, previous)


def row_of(entry: Entry) -> Row:
    """An entry as a log holds it."""
    return Row(entry.sequence, entry.content, entry.hash)


def read_entry(row: Row) -> Entry:
    """The entry of a row that `verify` let pass; ValueError, KeyError or TypeError for a text that is none."""
    record = json.loads(row.content)
    return Entry(**record | {"at": datetime.fromisoformat(record["at"])})


def verify(rows: Sequence[Row], expected_head: str | None = None) -> Verdict:
    """Passed where every entry is as it was written, and in its place; Blocked with the numbers of those that are not.

    With `expected_head`, a hash that was noted when the log was shorter or as long, some entry has to have it. An empty
    log is NotEvaluated without a head and Blocked with one. The removal of the last entries is found by a head alone.
    """
    if expected_head is not None and len(expected_head) != 64:
        raise ConfigError(
            f"{expected_head!r} is no head", expected="all 64 digits of a hash", action="`ops audit head` prints one"
        )
    if not rows and expected_head is None:
        return NotEvaluated("the audit log is empty: it begins with the next promotion, rollback or principal")
    reasons = [reason for before, row in zip([None, *rows], rows, strict=False) if (reason := _why_wrong(before, row))]
    if expected_head is not None and expected_head not in {row.hash for row in rows}:
        reasons.append(
            f"no entry has the head {short(expected_head)}: entries were taken from the end, or the log was written anew"
        )
    if reasons:
        more = [f"and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
        return Blocked((*reasons[:_SHOWN], *more), {"entries": len(rows)})
    return Passed({"entries": len(rows), "head": rows[-1].hash})


def _why_wrong(before: Row | None, row: Row) -> str | None:
    """What is wrong with a row as the one after another, in words that name its number; None where nothing is."""
    number, previous = (before.sequence + 1, before.hash) if before else (1, "")
    if row.sequence != number:
        return _gap(number, row.sequence)
    if digest_bytes(row.content) != row.hash:
        return f"entry {number} was edited: its text has another hash than the one written beside it"
    try:
        entry = read_entry(row)
    except (ValueError, KeyError, TypeError):
        return f"entry {number} was written by something else: it cannot be read"
    if (entry.sequence, entry.previous) != (number, previous):
        return f"entry {number} does not follow the one before: it was put in or moved, or that one was written anew"
    if (entry.action == BEGINS) != (number == 1):
        return f"entry {number} is not where a log begins" if number > 1 else "entry 1 is not the log's beginning"
    return None


def _gap(number: int, found: int) -> str:
    if found < number:
        return f"entry {found} was put in"
    return f"entry {number} is missing" if found == number + 1 else f"entries {number} to {found - 1} are missing"
