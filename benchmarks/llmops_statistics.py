"""How often the statistics of evaluations are right, over many draws of which the truth is known, beside the plain way.

The plain ways: the judge's own mean, Student's paired t-test that takes each case as independent, an unpaired one, changing
one source at a time, and three standard deviations around the canary's mean.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TypeAlias

import numpy as np

from benchmarks.rows import Row
from benchmarks.simulated_scores import (
    SOURCES,
    TRUTH,
    by_case,
    lenient_judge,
    mixtures,
    one_thing_twice,
    quiet_year,
    two_runs,
)
from ops_pipelines.core.statistics import clustered_mean
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.llmops.attribution import attribute
from ops_pipelines.llmops.attribution_cells import Cell
from ops_pipelines.llmops.evals.calibration import calibrate
from ops_pipelines.llmops.evals.compare import CompareRule, compare_runs, judge_comparison
from ops_pipelines.llmops.probe import ProbeDay, ProbeRule, judge_against
from ops_pipelines.llmops.probe_baseline import baseline_of

CASES, LABELS, JUDGED, CLUSTERS, A_CLUSTER, EFFECT, SEED = 300, 150, 2_000, 60, 5, 0.2, 20260105
DRAWS, TRIALS, YEARS = 2_000, 200, 40
Mixtures: TypeAlias = Mapping[Cell, Mapping[str, float]]
Swap: TypeAlias = Callable[[int], tuple[set[Cell], Cell]]
"""By the number of a trial what lowers the score, each where all of it is new, and what should be named."""
QUICK = 10
"""By how much less a quick run draws."""


def measure() -> Iterator[Row]:
    """Coverage, false alarms, power, what attribution names, and the canary's quiet years."""
    yield from _measure(1)


def measure_quick() -> Iterator[Row]:
    """The same on a tenth of the draws, which shows that it works and not what holds."""
    yield from _measure(QUICK)


def _measure(less: int) -> Iterator[Row]:
    yield from judge_rows(DRAWS // less)
    yield alarm_row(DRAWS // less)
    yield from power_rows(DRAWS // less)
    for binary in (True, False):
        yield from attribution_rows(TRIALS // less, binary=binary)
    yield canary_row(max(2, YEARS // less))


def judge_rows(draws: int) -> Iterator[Row]:
    """Whether 95% intervals hold the truth as often, and how much narrower they are than those of the labels."""
    ours, peers, widths = [], [], []
    for number in range(draws):
        world = lenient_judge(np.random.default_rng([SEED, number]), JUDGED, LABELS)
        found = calibrate(world.judged, world.labels)
        plain = clustered_mean(np.array(list(world.judged.values())), range(JUDGED)).interval()
        ours.append(_holds_truth(found.corrected.interval() if found.corrected else None))
        peers.append(_holds_truth(plain))
        widths.append(1 - (found.narrower or 0.0))
    covered, peer = float(np.mean(ours)), float(np.mean(peers))
    note = f"{draws} draws, {LABELS} labels of {JUDGED:,}; the peer is the judge's own mean"
    yield _row("judge-corrected 95% intervals that hold the truth, share", covered, peer, ".93 to .97", note)
    width = float(np.mean(widths))
    note = "1 is the interval of the labels alone"
    yield Row("judge-corrected interval, width", width, 1.0, width, "ours <= .9 x peer", width <= 0.9, note)


def alarm_row(draws: int) -> Row:
    """How often a thing that is compared with itself is called better or worse."""
    from scipy.stats import ttest_rel

    ours, peers, rule = 0, 0, CompareRule(margin=0.0)
    for number in range(draws):
        first, second, of = one_thing_twice(np.random.default_rng([SEED, number]), CLUSTERS, A_CLUSTER)
        clusters = {str(case): str(cluster) for case, cluster in enumerate(of)}
        found = judge_comparison(compare_runs(by_case(first), by_case(second), clusters=clusters, rule=rule), rule)
        ours += found.evidence["found"] in {"better", "worse"}
        peers += ttest_rel(first, second).pvalue < 0.05
    note = f"{draws} draws of {CLUSTERS} clusters; the peer is Student's paired t-test"
    return _row("a thing compared with itself, alarms, share", ours / draws, peers / draws, "ours <= .06", note)


def power_rows(draws: int) -> Iterator[Row]:
    """How often a true difference is called better, beside what was stated and beside an unpaired test."""
    from scipy.stats import ttest_ind

    named, stated, peers, rule = [], [], [], CompareRule(margin=0.0, effect=EFFECT)
    for number in range(draws):
        better, worse = two_runs(np.random.default_rng([SEED, number]), CASES, EFFECT)
        found = compare_runs(by_case(better), by_case(worse), clusters=None, rule=rule)
        stated.append(found.power or 0.0)
        named.append(judge_comparison(found, rule).evidence["found"] == "better")
        peers.append(ttest_ind(better, worse).pvalue < 0.05)
    power, said, peer = float(np.mean(named)), float(np.mean(stated)), float(np.mean(peers))
    note = f"{draws} draws, n={CASES}, effect {EFFECT}; the peer is the power that each comparison stated"
    holds = abs(power - said) <= 0.03
    yield Row(
        "power of a paired comparison as it was stated, share",
        power,
        said,
        power / said,
        "within .03 of peer",
        holds,
        note,
    )
    note = "the peer is an unpaired t-test on the same scores"
    ratio = power / peer if peer else None
    yield Row("power of a paired comparison, share", power, peer, ratio, "ours >= peer", power >= peer, note)


def attribution_rows(trials: int, *, binary: bool) -> Iterator[Row]:
    """How often the one swapped source is named and no other, how often any is where none was, and both of a pair."""
    kind = "pass or fail" if binary else "graded"
    note = f"{trials} trials, n={CASES}; the peer changes one source at a time, with a t-test at 5% each"
    hits = _named(trials, lambda number: ({frozenset({SOURCES[number % 3]})}, frozenset({SOURCES[number % 3]})), binary)
    yield _row(f"the single swapped source named, {kind}, share", *hits, "ours >= .95", note)
    none = [1 - share for share in _named(trials, lambda _: (set(), frozenset()), binary)]
    yield _row(f"a cause named where nothing changed, {kind}, share", none[0], none[1], "ours <= .05", note)
    pair = frozenset(SOURCES[:2])
    both = _named(trials, lambda _: ({pair}, pair), binary, effect=-2 * EFFECT)
    yield _row(f"both sources of a joint fall named, {kind}, share", *both, "ours >= .9", note)


def canary_row(years: int) -> Row:
    """False alarms a year of twenty probes of which one in fifty answers otherwise each day."""
    rule, ours, peers = ProbeRule(), 0, 0
    for number in range(years):
        days = quiet_year(np.random.default_rng([SEED, number]), 20, 0.02)
        baseline = baseline_of(days[: rule.baseline_days])
        later = days[rule.baseline_days :]
        dated = [ProbeDay(date(2026, 1, 1) + timedelta(days=at), "release", day) for at, day in enumerate(later)]
        ours += sum(isinstance(judge_against(day, baseline, rule), Blocked) for day in dated)
        peers += _three_sigma(days[: rule.baseline_days], later)
    note = f"{years} years; the peer is three standard deviations around the mean of the same 28 days"
    return _row("false alarms of the canary a quiet year", ours / years, peers / years, "ours <= .3", note)


def _named(trials: int, swap: Swap, binary: bool, *, effect: float = -EFFECT) -> tuple[float, float]:
    """The share of trials in which exactly what was swapped is named, by ours and one at a time."""
    ours, peers = 0, 0
    for number in range(trials):
        felt, expected = swap(number)
        draw = np.random.default_rng([SEED, number, binary, len(felt)])
        scores = mixtures(draw, CASES, dict.fromkeys(felt, effect), binary=binary)
        ours += frozenset(attribute(scores).causes) == expected
        peers += _one_at_a_time(scores) == expected
    return ours / trials, peers / trials


def _one_at_a_time(scores: Mixtures) -> Cell:
    """The sources whose swap alone moves the old release's mean at p < .05."""
    from scipy.stats import ttest_rel

    old = list(scores[frozenset()].values())
    swapped = {source: list(scores[frozenset({source})].values()) for source in SOURCES}
    return frozenset(source for source, now in swapped.items() if ttest_rel(now, old).pvalue < 0.05)


def _three_sigma(baseline: Sequence[dict[str, float]], later: Sequence[dict[str, float]]) -> int:
    means = np.array([np.mean(list(day.values())) for day in (*baseline, *later)])
    known = means[: len(baseline)]
    return int((np.abs(means[len(baseline) :] - known.mean()) > 3 * known.std(ddof=1)).sum())


def _holds_truth(interval: tuple[float, float] | None) -> bool:
    return interval is not None and interval[0] <= TRUTH <= interval[1]


def _row(name: str, ours: float, peer: float, bound: str, note: str) -> Row:
    """A claim about a share by the bound's own words: a range, a most or a least."""
    words = bound.split()
    low, high = (float(words[0]), float(words[2])) if "to" in words else _one_sided(words)
    return Row(name, ours, peer, ours / peer if peer else None, bound, low <= ours <= high, note)


def _one_sided(words: Sequence[str]) -> tuple[float, float]:
    limit = float(words[-1])
    return (limit, float("inf")) if words[1] == ">=" else (float("-inf"), limit)
