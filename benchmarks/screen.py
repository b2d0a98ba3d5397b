"""The drift screen against plain numpy and against Evidently's default preset, on the same rows, in CPU-seconds.

What is timed is what happens every week: the week's columns against what is kept of the training period. Both our
profiles and numpy's edges and counts are made before; their indices are compared before anything is timed. Evidently
keeps nothing and compares two frames, so that it is given both.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.processes import cpu_timed, forget_peak, measured, peak_mb, resident_mb
from benchmarks.rows import Row, at_most, at_most_times, times_faster, void
from benchmarks.screen_data import (
    COLUMNS,
    NUMBERS,
    WINDOWS,
    counts_of_numbers,
    counts_of_texts,
    deciles,
    psi_of_numbers,
    psi_of_texts,
    write_sides,
)

if TYPE_CHECKING:
    import pandas as pd

ROWS, QUICK_ROWS = 1_000_000, 100_000
NUMPY_TIMES, EVIDENTLY_TIMES, MEMORY_MB = 3, 20, 1000
_TURNS = 5
_SAME = 1e-3
"""Indices closer than this are the same: how an empty bin is counted may differ, what was measured may not."""


def measure() -> Iterator[Row]:
    """The three claims at a million rows."""
    yield from _measure(ROWS)


def measure_quick() -> Iterator[Row]:
    """The same at a hundred thousand."""
    yield from _measure(QUICK_ROWS)


def ours_and_numpy(reference: str, current: str) -> dict[str, float]:
    """Median CPU-seconds of both turn by turn, the memory that ours added in MB, and how far apart the indices were."""
    import numpy as np

    from ops_pipelines.mlops.drift import DriftRule, measure_drift
    from ops_pipelines.mlops.drift_profile import index_of

    profiles, by_numpy = _kept_of(reference)
    columns = {name: _column(current, name) for name in COLUMNS}
    rule = DriftRule()
    forget_peak()
    before = resident_mb()
    measure_drift(profiles, columns, rule)
    added = peak_mb() - before
    # The effect is the index less what chance adds; what numpy computes is the index.
    ours = {kept.name: index_of(np.asarray(kept.counts), kept.histogram(columns[kept.name])) for kept in profiles}
    theirs = {name: psi(columns[name]) for name, psi in by_numpy.items()}
    apart = max(abs(ours[name] - theirs[name]) for name in COLUMNS)
    turns = [
        (
            cpu_timed(lambda: measure_drift(profiles, columns, rule)),
            cpu_timed(lambda: [psi(columns[name]) for name, psi in by_numpy.items()]),
        )
        for _ in range(_TURNS)
    ]
    mine, numpy = (median(times) for times in zip(*turns, strict=True))
    return {"ours": mine, "peer": numpy, "added_mb": added, "apart": apart, "psi": max(theirs.values())}


def evidently_default(reference: str, current: str) -> float:
    """The CPU-seconds of Evidently's DataDriftPreset on both sides, without imports, reading and rendering to a file."""
    import pyarrow.parquet as pq
    from evidently import Report
    from evidently.presets import DataDriftPreset

    sides = [pq.read_table(file).to_pandas() for file in (reference, current)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        Report([DataDriftPreset()]).run(current_data=sides[1], reference_data=sides[0])
        return time.process_time() - began


def _measure(rows: int) -> Iterator[Row]:
    size = f"{rows:,} rows x {len(COLUMNS)} columns"
    with tempfile.TemporaryDirectory() as made:
        sides = write_sides(Path(made), rows)
        found: dict[str, float] = measured("benchmarks.screen:ours_and_numpy", *sides).answer
        against_numpy = f"drift screen of {size}, against PSI in numpy, CPU-s"
        if found["apart"] > _SAME:
            yield void(against_numpy, f"ours <= {NUMPY_TIMES} x peer", f"the indices differ by {found['apart']:.3g}")
            return
        same = f"indices up to {found['psi']:.2f} differ by {found['apart']:.0e}, {_TURNS} turns"
        yield at_most_times(against_numpy, found["ours"], found["peer"], NUMPY_TIMES, note=same)
        yield at_most(f"drift screen of {size}, memory added, MB", found["added_mb"], MEMORY_MB)
        evidently = measured("benchmarks.screen:evidently_default", *sides)
        memory = f"its process peaked at {evidently.peak_mb:.0f} MB"
        name = f"drift screen of {size}, against Evidently's DataDriftPreset, CPU-s"
        yield times_faster(name, found["ours"], evidently.answer, EVIDENTLY_TIMES, note=memory)


def _kept_of(reference: str) -> tuple[list[Any], dict[str, Callable[["pd.Series[Any]"], float]]]:
    """What each way keeps of the training period; one column in memory at a time."""
    import numpy as np

    from ops_pipelines.mlops.drift import FEATURE, profile_column

    profiles, by_numpy = [], {}
    for name in COLUMNS:
        values = _column(reference, name)
        windows = np.arange(len(values)) * WINDOWS // len(values)
        profiles.append(profile_column(name, FEATURE, values, windows))
        by_numpy[name] = _numpy_psi(name, values)
    return profiles, by_numpy


def _numpy_psi(name: str, reference: "pd.Series[Any]") -> Callable[["pd.Series[Any]"], float]:
    if name not in NUMBERS:
        kept = counts_of_texts(reference)
        return lambda values: psi_of_texts(values, kept)
    edges = deciles(reference.to_numpy())
    counts = counts_of_numbers(reference.to_numpy(), edges)
    return lambda values: psi_of_numbers(values.to_numpy(), edges, counts)


def _column(file: str, name: str) -> "pd.Series[Any]":
    import pyarrow.parquet as pq

    return pq.read_table(file, columns=[name]).column(name).to_pandas()
