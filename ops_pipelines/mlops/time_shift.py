"""A time-zone error, told from a store that is merely behind: instants that are a whole number of hours off.

A stale store holds an older row, and that row stands in the lake. A store whose clock is off holds a row that never was:
the lake has the same values some hours away.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable, join_features
from ops_pipelines.mlops.likeness import alike, has_value

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_HOURS = tuple(hours for hours in range(-14, 15) if hours)
"""Time zones lie between 12 hours behind UTC and 14 ahead of it; either side may be the one that is off."""
_ASKED = "__asked_at"


def find_shift(
    table: FeatureTable, offline: "pa.Table", online: "pa.Table", suspects: "np.ndarray", files: Sequence[str]
) -> tuple[int | None, "np.ndarray"]:
    """By how many hours a view's online instants are shifted, if they are, and which rows show it.

    A row shows it where the lake has its values that many hours before the instant that the store names, and not at that
    instant. Most of the rows in question have to show the same hours: two hours of weather may be alike by luck. Rows of
    which nothing is served show nothing.
    """
    import numpy as np

    nothing = np.zeros(len(suspects), dtype=bool)
    served = np.logical_or.reduce([has_value(online.column(feature)) for feature in table.features])
    rows = np.flatnonzero(suspects & served)
    if not len(rows) or not files:
        return None, nothing
    stands = _in_lake(table, offline.take(rows), online.take(rows), files)
    honest = stands.pop(0)
    shows = {hours: found & ~honest for hours, found in stands.items()}
    shift = max(shows, key=lambda hours: (int(shows[hours].sum()), -abs(hours)))
    if int(shows[shift].sum()) * 2 <= len(rows):
        return None, nothing
    shifted = nothing.copy()
    shifted[rows[shows[shift]]] = True
    return shift, shifted


def _in_lake(
    table: FeatureTable, offline: "pa.Table", online: "pa.Table", files: Sequence[str]
) -> dict[int, "np.ndarray"]:
    """For each number of hours, where the lake has the served values of a row that long before the online instant."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    known = online.column(table.known_at).cast(pa.timestamp("us", tz="UTC"))
    tried = (0, *_HOURS)
    # The whole second that the store names: all that it keeps of the instant.
    until = [timedelta(seconds=1, microseconds=-1) - timedelta(hours=hours) for hours in tried]
    asked = [pc.add(known, pa.scalar(span, pa.duration("us"))) for span in until]
    count = offline.num_rows
    keys = offline.select(list(table.keys)).take(np.tile(np.arange(count), len(tried)))
    entities = keys.append_column(_ASKED, pa.chunked_array([chunk for column in asked for chunk in column.chunks]))
    history = FeatureService(table.name, (replace(table, ttl=None),))
    found = join_features(entities, asked_at=_ASKED, service=history, sources={table.name: files}, known_at=True)
    second = [pc.floor_temporal(found.column(name), unit="second") for name in (table.known_at, _ASKED)]
    there = pc.fill_null(pc.equal(*second), False).to_numpy()
    parts = {hours: found.slice(position * count, count) for position, hours in enumerate(tried)}
    return {
        hours: there[position * count : (position + 1) * count] & _same_row(table, parts[hours], online)
        for position, hours in enumerate(tried)
    }


def _same_row(table: FeatureTable, lake: "pa.Table", online: "pa.Table") -> "np.ndarray":
    """Where every value that is served is the lake's; what is not served says nothing against it."""
    import numpy as np

    same = np.ones(lake.num_rows, dtype=bool)
    for feature in table.features:
        theirs = online.column(feature)
        same &= alike(lake.column(feature), theirs) | ~has_value(theirs)
    return same
