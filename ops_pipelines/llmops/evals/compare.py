"""Is the challenger better than the champion, not worse, or worse, on the same cases, or can nobody tell?

Repeats of a case are averaged, its two means are subtracted, and cases of one cluster count as one draw. A direction is
named where the two-sided interval leaves 0 out, so that of twenty comparisons of a thing with itself one does. "Not worse"
asks that the one-sided lower bound stays above minus the margin. Between them nobody can tell, and the verdict says how many
cases it would take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import ceil
from statistics import fmean
from typing import TypeAlias

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.evals.comparison import CompareRule, Comparison
from ops_pipelines.llmops.paired import NOTHING, Effect, effect_of, least_p_value, mean_of_repeats

Values: TypeAlias = Mapping[str, Sequence[float | None]]
"""By the id of a case the scores of its repeats; better is higher. None, or no repeat at all, is a case that failed."""
__all__ = ["CompareRule", "Comparison", "Values", "compare_runs", "judge_comparison"]
_SHOWN = 5


def compare_runs(
    challenger: Values, champion: Values, *, clusters: Mapping[str, str] | None, rule: CompareRule
) -> Comparison:
    """Two runs over the same cases compared; a case that `clusters` does not name is a cluster of its own."""
    shared = [case for case in challenger if case in champion]
    means = {case: (mean_of_repeats(challenger[case]), mean_of_repeats(champion[case])) for case in shared}
    both = {case: (ours, theirs) for case, (ours, theirs) in means.items() if ours is not None and theirs is not None}
    one_sided = tuple(sorted(challenger.keys() ^ champion.keys()))
    failed = tuple(sorted(means.keys() - both.keys()))
    if not both:
        return Comparison(None, None, None, one_sided=one_sided, failed=failed)
    differences = {case: ours - theirs for case, (ours, theirs) in both.items()}
    effect = effect_of(differences, clusters)
    span = max(1.0, max(map(max, both.values())) - min(map(min, both.values())))
    return Comparison(
        challenger=fmean(ours for ours, _ in both.values()),
        champion=fmean(theirs for _, theirs in both.values()),
        effect=effect,
        interval=effect.mean.interval(confidence=rule.confidence),
        lower_bound=_lower_bound(effect, span, rule),
        detectable=effect.mean.detectable(confidence=_directed(rule), power=rule.power),
        power=effect.mean.power(rule.effect, confidence=_directed(rule)),
        moves=_moves(differences),
        one_sided=one_sided,
        failed=failed,
    )


def judge_comparison(comparison: Comparison, rule: CompareRule) -> Verdict:
    """Passed where the challenger is better, or not worse by the margin; Blocked, with the cases, where it is worse.

    NotEvaluated where nobody can tell, and where a case is missing or failed on either side. `evidence["found"]` is the
    word for it in tables.
    """
    evidence = {"comparison": comparison.to_json(), "rule": asdict(rule)}
    incomparable = _incomparable(comparison)
    effect = comparison.effect
    if incomparable or effect is None:
        return NotEvaluated(incomparable, {**evidence, "found": "cannot be compared"})
    if comparison.is_identical:
        return Passed({**evidence, "found": "nothing changed"})
    if effect.p_value < 1 - rule.confidence and effect.difference > 0:
        return Passed({**evidence, "found": "better"})
    if comparison.lower_bound is not None and comparison.lower_bound > -rule.margin:
        return Passed({**evidence, "found": f"not worse by {rule.margin:g}"})
    if effect.p_value < 1 - rule.confidence:
        return Blocked((_worse(comparison, effect, rule),), {**evidence, "found": "worse"})
    return NotEvaluated(_cannot_tell(comparison, effect, rule), {**evidence, "found": "cannot tell"})


def _moves(differences: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """What moved at all, the worst first."""
    moved = [(case, move) for case, move in differences.items() if abs(move) > NOTHING]
    return tuple(sorted(moved, key=lambda one: (one[1], one[0])))


def _directed(rule: CompareRule) -> float:
    """The one-sided confidence of naming a direction."""
    return (1 + rule.confidence) / 2


def _lower_bound(effect: Effect, span: float, rule: CompareRule) -> float | None:
    """The one-sided bound by t, and where too few clusters moved for t, how much so few regressions may hide.

    Then the clusters that get worse are at most the exact Poisson bound on those that did, and each loses what the worst
    one lost, or one whole case. None for fewer clusters than could agree beyond chance.
    """
    from scipy.special import gammaincinv

    if least_p_value(effect.mean.clusters) >= 1 - rule.confidence:
        return None
    if least_p_value(effect.moved) < 1 - rule.confidence:
        return effect.mean.upper_bound(confidence=1 - rule.confidence)
    most = float(gammaincinv(effect.worse + 1, rule.confidence))
    return -most * max(span, effect.largest_loss) / effect.mean.rows


def _incomparable(comparison: Comparison) -> str:
    """Why the two cannot be compared; empty where they can."""
    reasons = []
    if comparison.one_sided:
        reasons.append(f"{len(comparison.one_sided)} cases are in one run only ({_named(comparison.one_sided)})")
    if comparison.failed:
        reasons.append(f"{len(comparison.failed)} cases failed in one run or both ({_named(comparison.failed)})")
    if comparison.effect is None:
        reasons.append("no case was scored in both runs")
    return "; ".join(reasons)


def _worse(comparison: Comparison, effect: Effect, rule: CompareRule) -> str:
    fell = [f"{case} {move:+.2f}" for case, move in comparison.moves if move < 0]
    return (
        f"{_scores(comparison)}: {_interval(comparison, rule)} over {effect.mean.clusters} clusters of "
        f"{effect.mean.rows} cases; worst: {', '.join(fell[:_SHOWN])}{_more(len(fell))}"
    )


def _cannot_tell(comparison: Comparison, effect: Effect, rule: CompareRule) -> str:
    told = f"cannot tell: {_scores(comparison)}"
    if comparison.detectable is None or not effect.mean.standard_error:
        return f"{told} in {effect.mean.clusters} clusters, of which {effect.moved} moved; that is too few"
    clusters = _clusters_needed(effect, rule)
    cases = ceil(clusters * effect.mean.rows / effect.mean.clusters)
    return (
        f"{told}, {_interval(comparison, rule)}; {effect.mean.rows} cases of {effect.mean.clusters} clusters see one "
        f"of {comparison.detectable:.3f} with a power of {rule.power:.0%}, and {_asked(rule)} needs about {cases} cases "
        f"of {clusters} clusters: {cases - effect.mean.rows} more"
    )


def _clusters_needed(effect: Effect, rule: CompareRule) -> int:
    """How many clusters like these tell, if there is no difference, and if it is the one that was seen.

    A difference that lies on the very line needs endlessly many; then four times as many are named, which halve the interval.
    """
    mean, count = effect.mean, effect.mean.clusters
    reach = mean.detectable(confidence=rule.confidence, power=rule.power) or 0.0
    planned = (reach / (rule.margin or rule.effect)) ** 2
    half = (mean.upper_bound(confidence=_directed(rule)) or mean.mean) - mean.mean
    gap = max(abs(rule.margin + effect.difference), abs(effect.difference), half / 2)
    return max(ceil(count * max(planned, (half / gap) ** 2)), count + 1)


def _asked(rule: CompareRule) -> str:
    return f"a margin of {rule.margin:g}" if rule.margin else f"an effect of {rule.effect:g}"


def _scores(comparison: Comparison) -> str:
    return f"{comparison.challenger:.3f} against {comparison.champion:.3f}"


def _interval(comparison: Comparison, rule: CompareRule) -> str:
    low, high = comparison.interval or (float("nan"), float("nan"))
    difference = comparison.effect.difference if comparison.effect else 0.0
    return f"{difference:+.3f} ({rule.confidence:.0%} {low:+.3f} to {high:+.3f})"


def _named(cases: Sequence[str]) -> str:
    return f"{', '.join(cases[:_SHOWN])}{_more(len(cases))}"


def _more(count: int) -> str:
    return f" and {count - _SHOWN} more" if count > _SHOWN else ""
