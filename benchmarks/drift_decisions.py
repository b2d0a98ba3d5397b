"""How often quiet columns and quiet reports are flagged, how often a real move is, and what Evidently's default says.

Each resample draws everything anew: ten windows of a training period, of the size of the window that is judged, from which
the profiles and their limits are computed, and that window. Nothing is retried until it holds.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.mixed_columns import JUDGED, MOVED, mixed_columns
from benchmarks.rows import Row
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.mlops.drift import FEATURE, ColumnProfile, DriftRule, judge_drift, measure_drift, profile_column

SIZES, WINDOWS, RESAMPLES, PEERS_RESAMPLES, SEED = (500, 1_000, 5_000), 10, 300, 10, 20130101
RULE = DriftRule()


@dataclass(frozen=True, slots=True)
class Quiet:
    """Of reports on data that did not move: the share of columns, of reports with any, and of findings, that are flagged."""

    columns: float
    reports: float
    findings: float
    resamples: int
    worst: str = ""


def quiet(rows: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> Quiet:
    """What our decision says of quiet windows of so many rows."""
    flags, findings = [], []
    for number in range(resamples):
        random = np.random.default_rng([seed, rows, number])
        period, window = mixed_columns(random, WINDOWS * rows), mixed_columns(random, rows)
        weeks = np.repeat(np.arange(WINDOWS), rows)
        found = measure_drift([profile_column(name, FEATURE, period[name], weeks) for name in period], window, RULE)
        flags.append([column.flagged for column in found])
        findings.append(isinstance(judge_drift(found, FEATURE, RULE), Blocked))
    return Quiet(float(np.mean(flags)), float(np.any(flags, axis=1).mean()), float(np.mean(findings)), resamples)


def power(name: str, rows: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> float:
    """How often a window of so many rows is Blocked where its one column of that role moved so."""
    role, kind, moved = MOVED[name]
    weeks, blocked = np.repeat(np.arange(WINDOWS), rows), 0
    for number in range(resamples):
        random = np.random.default_rng([seed, rows, number])
        others = _others()
        profile = profile_column("moved", role, pd.Series(JUDGED[kind](random, WINDOWS * rows)), weeks)
        found = measure_drift([profile, *others], {"moved": pd.Series(moved(random, rows))}, RULE)
        blocked += isinstance(judge_drift(found, role, RULE), Blocked)
    return blocked / resamples


def _others() -> list[ColumnProfile]:
    """Nineteen quiet columns, for which each p-value is adjusted; they have no rows, so that only their number counts."""
    empty = profile_column("quiet", "other", pd.Series([0.0, 1.0]), np.array([0, 1]))
    return [empty] * 19


def peers_quiet(rows: int, *, resamples: int = PEERS_RESAMPLES, seed: int = SEED) -> Quiet:
    """What the same windows are said to be by the DataDriftPreset of Evidently, its own tests and thresholds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _peers_quiet(rows, resamples, seed)


def _peers_quiet(rows: int, resamples: int, seed: int) -> Quiet:
    import os

    from ops_pipelines.adapters.dagster_home import QUIET

    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    flags, findings = [], []
    for number in range(resamples):
        random = np.random.default_rng([seed, rows, number])
        sides = [pd.DataFrame(mixed_columns(random, size)) for size in (WINDOWS * rows, rows)]
        numeric = [name for name in sides[0] if pd.api.types.is_numeric_dtype(sides[0][name])]
        numeric = [name for name in numeric if sides[0][name].dtype != bool]
        categorical = [name for name in sides[0] if name not in numeric]
        for side in sides:
            side[categorical] = side[categorical].astype(str)
        definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
        before, now = (Dataset.from_pandas(side, data_definition=definition) for side in sides)
        metrics = Report([DataDriftPreset()]).run(now, before).dict()["metrics"]
        told = [metric for metric in metrics if "column" in metric["config"]]
        flags.append([_has_drifted(metric) for metric in told])
        (counted,) = (metric for metric in metrics if "drift_share" in metric["config"])
        if sum(flags[-1]) != counted["value"]["count"]:
            raise ValueError(
                f"Evidently counts {counted['value']['count']} drifted columns, and {sum(flags[-1])} were read"
            )
        findings.append(counted["value"]["share"] >= counted["config"]["drift_share"])
    shares = np.mean(flags, axis=0)
    worst = int(np.argmax(shares))
    others = float(np.any(np.delete(np.array(flags), worst, axis=1), axis=1).mean())
    told_of = (
        f"its worst is {told[worst]['config']['column']} ({shares[worst]:.0%}), {others:.0%} of reports without it"
    )
    any_flag = float(np.any(flags, axis=1).mean())
    return Quiet(float(np.mean(flags)), any_flag, float(np.mean(findings)), resamples, told_of)


def _has_drifted(metric: dict[str, Any]) -> bool:
    """A value above the threshold of a distance, or below that of a p-value."""
    method, value, threshold = metric["config"]["method"], metric["value"], metric["config"]["threshold"]
    return bool(value < threshold if "p_value" in method else value >= threshold)


def million(shift: float = 0.01, *, seed: int = SEED) -> bool:
    """Whether a million rows are flagged whose mean moved by so many standard deviations."""
    random, rows = np.random.default_rng(seed), 1_000_000
    weeks = np.repeat(np.arange(4), rows)
    profile = profile_column("x", FEATURE, pd.Series(random.normal(size=4 * rows)), weeks)
    (found,) = measure_drift([profile], {"x": pd.Series(random.normal(shift, size=rows))}, RULE)
    return found.flagged


def measure() -> Iterator[Row]:
    """False alarms by size beside Evidently's on the same windows, then power, then a million rows."""
    for rows in SIZES:
        ours, peer = quiet(rows), peers_quiet(rows)
        note = (
            f"{ours.resamples} resamples of 20 columns, Evidently's default on the first {peer.resamples}: {peer.worst}"
        )
        yield _at_most(f"quiet columns flagged at n={rows}, share", ours.columns, peer.columns, 0.01, note)
        yield _at_most(f"quiet reports with any flag at n={rows}, share", ours.reports, peer.reports, 0.05, note)
        yield _at_most(f"quiet findings at n={rows}, share", ours.findings, peer.findings, 0.05, note)
    for name in MOVED:
        share = power(name, SIZES[0])
        yield Row(f"{name} flagged at n={SIZES[0]}, share", share, None, None, ">= 0.9", share >= 0.9)
    flagged = million()
    yield Row("0.01 sd flagged at n=1000000, share", float(flagged), None, None, "<= 0", not flagged)


def _at_most(name: str, ours: float, peer: float, limit: float, note: str) -> Row:
    return Row(name, ours, peer, ours / peer if peer else None, f"ours <= {limit:g}", ours <= limit, note)
