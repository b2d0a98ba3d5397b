"""Offline and online vectors of the same entities at the same instant, compared cell by cell.

A model is trained on what the point-in-time join reads from the lake and served what the online store holds. Where the
two differ, nothing fails and every score is wrong. So both sides are asked the same question, and each **cell** (an
entity and a feature) falls into exactly one kind. It is equal where both sides have no value, or have the same value
known since the same second (online stores keep no more); floats may differ by a relative 1e-9, and nothing else is
tolerated.

The same value under another instant is a difference too: today's values agree by luck, and ages do not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable
from ops_pipelines.mlops.likeness import alike, has_value
from ops_pipelines.mlops.time_shift import find_shift

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PARITY = "parity"
EQUAL = "equal"
MISSING = "missing online"
STALE = "stale online"
EXPIRED = "served although expired"
FUTURE = "served from the future"
SHIFTED = "shifted by whole hours"
CHANGED = "another value of the same instant"
NOT_IN_LAKE = "not in the lake"
KINDS = (FUTURE, EXPIRED, SHIFTED, MISSING, STALE, CHANGED, NOT_IN_LAKE)
"""How a cell can differ, in the order in which they are asked: the first that fits is the cell's kind."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell that differs: whose it is, when it was asked for, and what either side says, known since when."""

    entity: Mapping[str, Any]
    asked_at: datetime
    kind: str
    offline: Any
    online: Any
    offline_known: datetime | None
    online_known: datetime | None


@dataclass(frozen=True, slots=True)
class FeatureParity:
    """One feature over all entities: how many cells of each kind, and an example of the commonest difference.

    `shift_hours` is how much later the online store says that the view's values became known, where they are shifted.
    """

    feature: str
    view: str
    cells: Mapping[str, int]
    example: Difference | None = None
    shift_hours: int | None = None

    @property
    def compared(self) -> int:
        return sum(self.cells.values())

    @property
    def differing(self) -> int:
        return self.compared - self.cells.get(EQUAL, 0)

    def to_json(self) -> dict[str, Any]:
        """The row of a table: the feature and its counts, the kinds of difference as words."""
        return {
            "feature": self.feature,
            "view": self.view,
            "compared": self.compared,
            "equal": self.compared - self.differing,
            "differing": self.differing,
            "differences": self.kinds(),
        }

    def kinds(self) -> str:
        """How many cells differ in which way, the commonest first; empty where none does."""
        found = sorted((-count, kind) for kind, count in self.cells.items() if count and kind != EQUAL)
        return ", ".join(f"{-count} {kind}{self._by() if kind == SHIFTED else ''}" for count, kind in found)

    def _by(self) -> str:
        return f" ({self.shift_hours:+d} h)" if self.shift_hours else ""


def compare_vectors(
    offline: "pa.Table",
    online: "pa.Table",
    *,
    service: FeatureService,
    asked_at: datetime,
    sources: Mapping[str, Sequence[str]],
) -> tuple[FeatureParity, ...]:
    """What became of every cell, feature by feature in the order of the service.

    Both tables hold the same entities in the same order, with each feature and each table's `known_at`; `offline` holds
    the join keys too. `sources` are the files of the join: they tell a store that is a few hours behind from one whose
    clock is, since only the former's rows stand in the lake. Raises DataError where the tables have not the same length.
    """
    if offline.num_rows != online.num_rows:
        raise DataError(
            f"{offline.num_rows} offline vectors and {online.num_rows} online vectors cannot be compared",
            expected="the same entities in the same order on both sides",
            action="Ask both sides for the same rows",
        )
    return tuple(
        parity
        for table in service.tables
        for parity in _compare_view(table, offline, online, asked_at, sources.get(table.name, ()))
    )


def judge_parity(measured: Sequence[FeatureParity]) -> Verdict:
    """Passed where no cell differs, Blocked with a reason a feature where one does, NotEvaluated for no entities."""
    entities = max((parity.compared for parity in measured), default=0)
    if not entities:
        return NotEvaluated("there is no entity to compare offline and online values of")
    evidence = {
        "entities": entities,
        "cells": sum(parity.compared for parity in measured),
        "differing": sum(parity.differing for parity in measured),
    }
    reasons = tuple(_reason(parity) for parity in measured if parity.differing)
    return Blocked(reasons, evidence) if reasons else Passed(evidence)


def _reason(parity: FeatureParity) -> str:
    counted = f"{parity.feature}: {parity.differing} of {parity.compared} differ ({parity.kinds()})"
    one = parity.example
    if one is None:
        return counted
    whose = ", ".join(f"{key}={value}" for key, value in one.entity.items())
    return (
        f"{counted}; {whose} has {_shown(one.offline)} offline ({_known(one.offline_known, one.asked_at)}) "
        f"and {_shown(one.online)} online ({_known(one.online_known, one.asked_at)})"
    )


def _shown(value: Any) -> str:
    return "no value" if value is None else repr(value)


def _known(known: datetime | None, asked_at: datetime) -> str:
    if known is None:
        return "never known"
    return f"known since {known:%Y-%m-%d %H:%M:%S}, {(asked_at - known) / timedelta(hours=1):.1f} h old"


@dataclass(frozen=True, slots=True)
class _View:
    """One view's instants on both sides, in whole seconds since 1970, with whether each is there."""

    table: FeatureTable
    asked: float
    offline: "np.ndarray"
    has_offline: "np.ndarray"
    online: "np.ndarray"
    has_online: "np.ndarray"

    @property
    def same(self) -> "np.ndarray":
        """Where both sides hold what became known at one instant."""
        same: np.ndarray = self.has_offline & self.has_online & (self.offline == self.online)
        return same


def _compare_view(
    table: FeatureTable, offline: "pa.Table", online: "pa.Table", asked_at: datetime, files: Sequence[str]
) -> list[FeatureParity]:
    import numpy as np

    view = _View(table, asked_at.timestamp(), *_instants(offline, table), *_instants(online, table))
    sides = {feature: _Sides.of(offline, online, feature) for feature in table.features}
    differs = np.zeros(offline.num_rows, dtype=bool)
    for side in sides.values():
        differs |= ~side.equal(view)
    shift, shifted = find_shift(table, offline, online, differs & view.has_online, files)
    measured = []
    for feature, side in sides.items():
        kinds = _kinds(view, side, shifted)
        cells = dict(Counter(kinds.tolist()))
        example = _example(table, feature, kinds, offline, online, asked_at)
        measured.append(FeatureParity(feature, table.name, cells, example, shift if SHIFTED in cells else None))
    return measured


def _kinds(view: _View, side: "_Sides", shifted: "np.ndarray") -> "np.ndarray":
    """The kind of each cell of one feature."""
    import numpy as np

    known = view.has_online
    oldest = view.asked - view.table.ttl.total_seconds() if view.table.ttl is not None else None
    expired = known & (view.online < oldest) if oldest is not None else np.zeros_like(known)
    older = known & view.has_offline & (view.online < view.offline)
    fits = {
        FUTURE: side.has_online & known & (view.online > view.asked),
        EXPIRED: side.has_online & expired,
        SHIFTED: shifted,
        MISSING: ~side.has_online & ~older,
        STALE: older,
        CHANGED: view.same,
    }
    return np.select([side.equal(view), *fits.values()], [EQUAL, *fits], default=NOT_IN_LAKE)


@dataclass(frozen=True, slots=True)
class _Sides:
    """One feature on both sides: where each has a value, and where the two are the same."""

    has_offline: "np.ndarray"
    has_online: "np.ndarray"
    alike: "np.ndarray"

    @classmethod
    def of(cls, offline: "pa.Table", online: "pa.Table", feature: str) -> "_Sides":
        ours, theirs = offline.column(feature), online.column(feature)
        return cls(has_value(ours), has_value(theirs), alike(ours, theirs))

    def equal(self, view: _View) -> "np.ndarray":
        both = self.has_offline & self.has_online
        equal: np.ndarray = (both & self.alike & view.same) | ~(self.has_offline | self.has_online)
        return equal


def _instants(vectors: "pa.Table", table: FeatureTable) -> tuple["np.ndarray", "np.ndarray"]:
    import pyarrow as pa
    import pyarrow.compute as pc

    # Not an unsafe cast, which would cut what lies before 1970 upwards.
    known = pc.floor_temporal(vectors.column(table.known_at), unit="second")
    known = known.cast(pa.timestamp("s", tz="UTC")).cast(pa.int64())
    return pc.fill_null(known, 0).to_numpy(), pc.is_valid(known).to_numpy()


def _example(
    table: FeatureTable,
    feature: str,
    kinds: "np.ndarray",
    offline: "pa.Table",
    online: "pa.Table",
    asked_at: datetime,
) -> Difference | None:
    """The first cell of the commonest difference; None where nothing differs."""
    different = Counter(kind for kind in kinds.tolist() if kind != EQUAL)
    if not different:
        return None
    kind = min(different, key=lambda kind: (-different[kind], kind))
    row = kinds.tolist().index(kind)
    return Difference(
        entity={key: offline.column(key)[row].as_py() for key in table.keys},
        asked_at=asked_at,
        kind=kind,
        offline=offline.column(feature)[row].as_py(),
        online=online.column(feature)[row].as_py(),
        offline_known=offline.column(table.known_at)[row].as_py(),
        online_known=online.column(table.known_at)[row].as_py(),
    )
