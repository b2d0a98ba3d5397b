"""Whether the audit log and the rows that it tells of agree: each row has its entry, and each entry its row.

A row that came in by another way than the platform's doors has no entry, and one that was taken out leaves its entry
behind. Rows from before the log began are covered by the heads in its first entry.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops_pipelines.core.audit import Entry, Row, read_entry, verify
from ops_pipelines.core.clock import utc
from ops_pipelines.core.principal import Principal
from ops_pipelines.core.release import Move
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

MOVES, PRINCIPALS, CANARIES = "moves", "principals", "canaries"
"""The tables whose every row has an entry; the fact of that name holds the row's hash."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A row that an entry has to tell of: the table that it stands in, what it is about, its number there, its hash.

    An entry tells of it by a fact with the table's name and the row's hash. `hash` is None for a row that was edited or
    does not follow the one before it: no entry can tell of that.
    """

    table: str
    about: str
    sequence: int
    hash: str | None

    def __str__(self) -> str:
        return f"row {self.sequence} of {self.about} ({self.table})"


def entry_of_move(move: Move) -> dict[str, Any]:
    """What the entry about a pointer's move says, as the arguments of `AuditLog.append`."""
    facts = {"environment": move.environment, "release": move.release, "reason": move.reason, MOVES: move.hash}
    until = {"until": utc(move.expires).isoformat()} if move.expires else {}
    return {
        "at": move.at,
        "actor": move.actor,
        "action": move.action,
        "subject": move.system,
        "facts": facts | until,
    }


def entry_of_principal(principal: Principal) -> dict[str, Any]:
    """What the entry about a principal says, as the arguments of `AuditLog.append`: nothing of the token."""
    until = {"until": utc(principal.expires).isoformat()} if principal.expires else {}
    granted = [str(grant) for grant in principal.grants]
    return {
        "at": principal.at,
        "actor": principal.by,
        "action": "revoke principal" if principal.revoked else "add principal",
        "subject": f"principal {principal.name}",
        "facts": {"granted": granted, PRINCIPALS: principal.hash} | until,
    }


def heads_of(rows: Sequence[Covered]) -> list[list[str | int | None]]:
    """The last row about each thing, as the fact `heads` of a log's first entry."""
    last = {(row.table, row.about): row for row in sorted(rows, key=lambda row: row.sequence)}
    return [[row.table, row.about, row.sequence, row.hash] for _, row in sorted(last.items())]


def judge_audit(
    rows: Sequence[Row], covered: Mapping[str, Sequence[Covered]], expected_head: str | None = None
) -> Verdict:
    """The log judged by itself, and then against the rows of each table that it tells of."""
    chain = verify(rows, expected_head)
    if not isinstance(chain, Passed):
        return chain
    reasons = [
        reason
        for table, known in covered.items()
        for reason in _disagreements(table, known, [read_entry(row) for row in rows])
    ]
    told = {table: len(known) for table, known in covered.items()}
    return Blocked(tuple(reasons), chain.evidence) if reasons else Passed({**chain.evidence, "rows": told})


def _disagreements(table: str, rows: Sequence[Covered], entries: Sequence[Entry]) -> list[str]:
    heads = [Covered(*head) for head in entries[0].facts.get("heads", []) if head[0] == table]
    earlier = {head.about: head.sequence for head in heads}
    told = [(entry.sequence, str(entry.facts[table])) for entry in entries if table in entry.facts]
    times, there = Counter(row for _, row in told), {row.hash for row in rows}
    later = [row for row in rows if row.hash and row.sequence > earlier.get(row.about, 0)]
    return [
        *(f"{row} was edited, or does not follow the row before it" for row in rows if row.hash is None),
        *(f"{row} is told of by {n} entries and not by one" for row in later if (n := times[str(row.hash)]) != 1),
        *(f"entry {number} tells of a row of {table} that is not there" for number, row in told if row not in there),
        *(f"{head} is not there, and was when the log began" for head in heads if head.hash not in there),
    ]
