"""A claim with what was measured of it, and how several claims are printed and add up to an exit code."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Measure = Callable[[], Iterator["Row"]]
HOLDS, FAILS, COULD_NOT_TELL = 0, 1, 3
"""The exit codes; 2 is for usage."""


@dataclass(frozen=True, slots=True)
class Row:
    """One claim: what ours and the peer took, and whether the bound on them holds; `holds` None for a skipped row.

    The name says what was measured and ends with its unit. `ratio` is ours divided by the peer's. `facts` are the single
    cases behind the number, for those who read the JSON.
    """

    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    bound: str
    holds: bool | None
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON; without facts where there are none."""
        plain = asdict(self)
        return plain if self.facts else {name: value for name, value in plain.items() if name != "facts"}


def at_most_times(name: str, ours: float, peer: float, times: float, *, note: str = "") -> Row:
    """The claim that ours takes at most so many times what the peer takes."""
    return Row(name, ours, peer, ours / peer, f"ours <= {times:g} x peer", ours <= times * peer, note)


def times_faster(name: str, ours: float, peer: float, times: float, *, note: str = "") -> Row:
    """The claim that the peer takes at least so many times what ours takes."""
    return Row(name, ours, peer, ours / peer, f"{times:g} x ours <= peer", times * ours <= peer, note)


def at_most(name: str, ours: float, limit: float, *, note: str = "") -> Row:
    """The claim that ours stays within a number, without a peer."""
    return Row(name, ours, None, None, f"ours <= {limit:g}", ours <= limit, note)


def void(name: str, bound: str, why: str) -> Row:
    """A claim that fails because ours and the peer did not do the same job: no time means anything then."""
    return Row(name, None, None, None, bound, False, f"void: {why}")


def skipped(name: str, why: str) -> Row:
    """A claim of which nothing is known, because its data or its peer is not here."""
    return Row(name, None, None, None, "", None, why)


def exit_code(rows: Sequence[Row]) -> int:
    """0 where every claim holds, 1 where one fails, 3 where none fails and one, or all, could not be told."""
    if any(row.holds is False for row in rows):
        return FAILS
    return HOLDS if rows and all(row.holds for row in rows) else COULD_NOT_TELL


def table(rows: Iterable[Row]) -> str:
    """The rows as aligned text, a line each, under a head."""
    head = ("claim", "ours", "peer", "ratio", "bound", "holds", "note")
    lines = [head, *(_words(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    numbers = range(1, 4)
    aligned = (
        "  ".join(cell.rjust(width) if at in numbers else cell.ljust(width) for at, (cell, width) in enumerate(cells))
        for cells in (list(zip(line, widths, strict=True)) for line in lines)
    )
    return "\n".join(line.rstrip() for line in aligned)


def _words(row: Row) -> tuple[str, ...]:
    holds = {True: "yes", False: "NO", None: "skipped"}[row.holds]
    return (row.name, _number(row.ours), _number(row.peer), _number(row.ratio), row.bound, holds, row.note)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
