"""What may be deleted: mark what something still stands on, and sweep the rest once it is old enough.

Things are kept for four reasons, asked in this order: a release names them, however far down (every manifest counts, live or
not, since each may be rolled back to or asked about); they are younger than a day, when a run may still be writing what will
name them; their week is younger than the weeks that are kept; or one of those last two was made from them. The rest goes.

The marks are computed over the whole before anything is touched, so a plan can be read before it is carried out, and the
same plan asked for again after that is empty.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.reach import Edge, reach
from ops_pipelines.core.walk import Thing

BEING_WRITTEN = timedelta(days=1)
"""How long a run may take between writing a thing and writing what names it."""
KEEP_WEEKS = 104
"""Two years: drift that is compared with the same season reads weeks of a year ago and before."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A thing on the disk: its bytes, when it was written by the wall clock, and the instant at which its week ends.

    `ends` None is for what has no week: a whole dataset (`is_whole`), which is always the present one and stays, or a
    content-addressed object, which stays as long as something names it.
    """

    thing: Thing
    bytes: int
    written: datetime
    ends: datetime | None = None
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """For how many weeks things are kept that no release names. `as_of` is the logical instant, `wall` the wall clock's."""

    as_of: datetime
    wall: datetime
    keep_weeks: int = KEEP_WEEKS

    def __post_init__(self) -> None:
        check_settings(self, "keep-weeks", keep_weeks=(self.keep_weeks >= 1, "at least one week"))

    def stays(self, stored: Stored) -> str:
        """Why a thing stays whatever names it, in words; empty where it does not."""
        if stored.is_whole:
            return "it is a whole dataset"
        if utc(stored.written) > utc(self.wall) - BEING_WRITTEN:
            return "younger than a day"
        if stored.ends and utc(stored.ends) > utc(self.as_of) - timedelta(weeks=self.keep_weeks):
            return f"younger than {self.keep_weeks} weeks"
        return ""


@dataclass(frozen=True, slots=True)
class Fate:
    """A stored thing, whether it stays, and why."""

    stored: Stored
    stays: bool
    why: str

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON."""
        kind, name = self.stored.thing
        return {"what": kind, "id": name, "bytes": self.stored.bytes, "why": self.why}


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every stored thing."""

    fates: tuple[Fate, ...]

    @property
    def going(self) -> tuple[Fate, ...]:
        """What is to be deleted, in the order in which it was stored."""
        return tuple(fate for fate in self.fates if not fate.stays)

    @property
    def freed_bytes(self) -> int:
        return sum(fate.stored.bytes for fate in self.going)


def plan_retention(
    stored: Sequence[Stored],
    rule: Rule,
    *,
    roots: Iterable[Thing],
    edges: Iterable[Edge],
    chains: Iterable[Edge] = (),
) -> Plan:
    """What stays and what goes. An edge leads from a thing to one that it names; `roots` are named by releases.

    `chains` are the edges from an asset's partition to an earlier one of its own. They count below a root, where they are
    part of how a release came about, and not below what merely is young: a week that was made from the week before would
    keep every week since the first.
    """
    named = list(edges)
    by_release = _marked(roots, [*named, *chains])
    own = {each.thing: rule.stays(each) for each in stored}
    by_kept = _marked((thing for thing, why in own.items() if why), named)
    return Plan(tuple(_fate(each, by_release, own[each.thing], by_kept, rule) for each in stored))


def _fate(each: Stored, by_release: dict[Thing, str], own: str, by_kept: dict[Thing, str], rule: Rule) -> Fate:
    for why in (by_release.get(each.thing), own, by_kept.get(each.thing)):
        if why:
            return Fate(each, True, why)
    age = f", and its week is older than {rule.keep_weeks} weeks" if each.ends else ""
    return Fate(each, False, f"nothing names it{age}")


def _marked(start: Iterable[Thing], edges: Sequence[Edge]) -> dict[Thing, str]:
    """Everything that some things reach, themselves included, with what names each."""
    roots = list(start)
    below = {found.thing: f"{' '.join(found.through)} names it" for found in reach(roots, edges)}
    return {**dict.fromkeys(roots, "a release names it"), **below}
