"""The point-in-time join against polars' join_asof and Feast's own history: the same rows from the same files.

Before anything is timed, the answers are compared cell by cell, and a difference makes the claim void.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.join_data import ASKED_AT, SERVICE, write_entities, write_views
from benchmarks.processes import measured, timed
from benchmarks.rows import Row, at_most_times, times_faster, void

if TYPE_CHECKING:
    import pyarrow as pa

SMALL, LARGE = 100_000, 1_000_000
POLARS_TIMES, FEAST_TIMES = 3, 20
_TURNS = 7
Sources = Mapping[str, Sequence[str]]


def measure() -> Iterator[Row]:
    """Polars at both sizes, Feast at the larger."""
    yield from _measure((SMALL, LARGE), LARGE)


def measure_quick() -> Iterator[Row]:
    """Both peers at the smaller size."""
    yield from _measure((SMALL,), SMALL)


def differing_cells(ours: "pa.Table", theirs: "pa.Table") -> int:
    """How many cells of two tables differ, column by column in ours' order; every cell where their shapes do.

    Types may differ where values do not (polars has other strings), and NaN is a missing value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if ours.num_rows != theirs.num_rows or not set(ours.column_names) <= set(theirs.column_names):
        return ours.num_rows * ours.num_columns
    differing = 0
    for name in ours.column_names:
        left, right = ours.column(name), theirs.column(name).cast(ours.schema.field(name).type)
        if pa.types.is_floating(left.type):
            left, right = (pc.if_else(pc.is_nan(column), None, column) for column in (left, right))
        same = pc.fill_null(pc.equal(left, right), False)
        both_missing = pc.and_(pc.is_null(left), pc.is_null(right))
        differing += ours.num_rows - pc.sum(pc.or_(same, both_missing).cast(pa.int64())).as_py()
    return differing


def join_ours(entities: "pa.Table", sources: Sources) -> "pa.Table":
    """What the project's join answers."""
    from ops_pipelines.mlops.feature_set import join_features

    return join_features(entities, asked_at=ASKED_AT, service=SERVICE, sources=sources)


def against_polars(asked: str, sources: Sources) -> dict[str, float]:
    """Median seconds of both joins, turn by turn in one process and on all its cores, and the cells that differ."""
    import pyarrow.parquet as pq

    from benchmarks.join_peers import join_by_polars

    entities = pq.read_table(asked)
    differing = differing_cells(join_ours(entities, sources), join_by_polars(entities, sources).to_arrow())
    turns = [
        (timed(lambda: join_ours(entities, sources)), timed(lambda: join_by_polars(entities, sources)))
        for _ in range(_TURNS)
    ]
    ours, theirs = (median(times) for times in zip(*turns, strict=True))
    return {"ours": ours, "peer": theirs, "differing": differing}


def ours_alone(asked: str, sources: Sources, answer: str) -> float:
    """The seconds of our join in a process that does nothing else; its answer in a Parquet file."""
    import pyarrow.parquet as pq

    entities = pq.read_table(asked)
    took = median(timed(lambda: join_ours(entities, sources)) for _ in range(3))
    pq.write_table(join_ours(entities, sources), answer)
    return took


def _measure(polars_counts: Sequence[int], feast_count: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sources = write_views(folder)
        for count in polars_counts:
            yield _polars_row(str(write_entities(folder, count)), sources, count)
        yield from _feast_rows(folder, sources, feast_count)


def _polars_row(asked: str, sources: Sources, count: int) -> Row:
    name = f"join of {count:,} rows x 15 features, against polars join_asof, s"
    found = measured("benchmarks.join:against_polars", asked, sources).answer
    if found["differing"]:
        return void(name, f"ours <= {POLARS_TIMES} x peer", f"{found['differing']} cells differ")
    return at_most_times(name, found["ours"], found["peer"], POLARS_TIMES, note=f"no cell differs, {_TURNS} turns")


def _feast_rows(folder: Path, sources: Sources, count: int) -> Iterator[Row]:
    """Feast once, since it takes minutes, with our join right before it; and the memory of both processes."""
    import pyarrow.parquet as pq

    name = f"join of {count:,} rows x 15 features, against Feast's duckdb store, s"
    asked, ours_file, feast_file = (str(folder / file) for file in (f"asked-{count}.parquet", "ours", "feast"))
    ours = measured("benchmarks.join:ours_alone", asked, sources, ours_file)
    feast = measured("benchmarks.join_peers:join_by_feast", str(folder), asked, feast_file)
    differing = differing_cells(pq.read_table(ours_file), pq.read_table(feast_file))
    if differing:
        yield void(name, f"{FEAST_TIMES} x ours <= peer", f"{differing} cells differ")
        return
    memory = f"peak memory {ours.peak_mb:.0f} MB against {feast.peak_mb:.0f}"
    yield times_faster(name, ours.answer, feast.answer, FEAST_TIMES, note=f"no cell differs; {memory}")
