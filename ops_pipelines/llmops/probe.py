"""The canary: a few questions asked of the unchanged live release each day, and an alarm on the day it answers otherwise.

The manifest pins all that is ours. Where it is the same as in its own earlier days and the answers are not, nothing local
changed, and what did is the provider. A day is compared with the first days of its release, which then stay the baseline: one
that follows the answers would learn the change instead of telling it. A day in alarm is never part of it.

2026-11-26: scores of a probe are mostly the same each day, so that Student's t on the days' means is certain of anything.
What is counted is probes that answer otherwise than they usually do, up or down: a flip that leaves the mean where it was is
one, too. Only where most answers differ each day (a judge's decimals) is the mean compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from statistics import fmean, median, stdev
from typing import Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.statistics import prediction_bound
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.attribution import PROVIDER
from ops_pipelines.llmops.paired import cluster_of
from ops_pipelines.llmops.probe_baseline import Baseline, baseline_of
from ops_pipelines.llmops.probe_day import ProbeDay

__all__ = ["NO_LOCAL_CHANGE", "ProbeDay", "ProbeRule", "judge_against", "judge_probe"]
NO_LOCAL_CHANGE = f"no local change: {PROVIDER}"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ProbeRule:
    """How often the canary may be wrong, and what it needs before it says anything.

    `false_alarms` are those to expect in a year of quiet days; each day is given its part. The first `baseline_days` of a
    release are what later ones are compared with, and after `least_days` it begins to. `most_missing` is the share of probes
    that may be without an answer. ConfigError for numbers that cannot be meant.
    """

    false_alarms: float = 0.05
    baseline_days: int = 28
    least_days: int = 7
    least_probes: int = 8
    most_missing: float = 0.2

    def __post_init__(self) -> None:
        check_settings(
            self,
            "probe",
            false_alarms=(0 < self.false_alarms <= 12, "more than 0 and at most 12 a year"),
            baseline_days=(self.baseline_days >= self.least_days, f"at least least_days, {self.least_days}"),
            least_days=(self.least_days >= 2, "at least 2"),
            least_probes=(self.least_probes >= 1, "at least 1"),
            most_missing=(0 <= self.most_missing < 1, "a share, 0 or more and less than 1"),
        )

    @property
    def daily(self) -> float:
        """The chance of a false alarm that a day is given."""
        return self.false_alarms / 365


DEFAULT_RULE = ProbeRule()


def judge_probe(
    days: Sequence[ProbeDay],
    rule: ProbeRule = DEFAULT_RULE,
    clusters: Mapping[str, str] | None = None,
    *,
    as_of: date | None = None,
) -> Verdict:
    """What the latest day says of the release that was asked: Blocked names the provider, with the probes that flipped.

    `days` are all on record, in any order; of two records of one release and day the later one in the sequence counts, and
    those after `as_of` do not. NotEvaluated without days, where `as_of` itself was not probed, for too few days of this
    release or too few probes, and where too many got no answer.
    """
    within = {(one.release, one.day): one for one in days if as_of is None or one.day <= as_of}
    known = sorted(within.values(), key=lambda one: one.day)
    if not known:
        return NotEvaluated("no probe was ever asked")
    if as_of is not None and known[-1].day < as_of:
        return NotEvaluated(f"no probe was asked on {as_of}; the last was on {known[-1].day}")
    today, before = known[-1], known[:-1]
    baseline: list[ProbeDay] = []
    for day in (one for one in before if one.release == today.release):
        if len(baseline) == rule.baseline_days:
            break
        if not isinstance(_judge_day(day, baseline, rule, clusters), Blocked):
            baseline.append(day)
    verdict = _judge_day(today, baseline, rule, clusters)
    began_anew = len(baseline) < rule.least_days and bool(before) and before[-1].release != today.release
    if isinstance(verdict, NotEvaluated) and began_anew:
        changed = f"the release changed from {short(before[-1].release)} to {short(today.release)}"
        return NotEvaluated(f"{changed}: its baseline begins anew; {verdict.why}", verdict.evidence)
    return verdict


def judge_against(
    today: ProbeDay, baseline: Baseline, rule: ProbeRule, clusters: Mapping[str, str] | None = None
) -> Verdict:
    """One day judged against a baseline of its own release."""
    answered = {probe: score for probe, score in today.answered.items() if probe in baseline.usual}
    evidence: dict[str, Any] = {"day": today.to_json(), "rule": asdict(rule), "baseline": baseline.to_json()}
    moved = _moved(today, baseline)
    if moved:
        return Blocked((moved,), {**evidence, "cause": PROVIDER})
    why = _too_little(len(answered), baseline, rule, clusters)
    if why:
        return NotEvaluated(why, evidence)
    said = _by_mean(answered, baseline, rule) if baseline.is_restless else _by_flips(answered, baseline, rule, clusters)
    evidence = {**evidence, "alarm_from": None if baseline.is_restless else _alarm_from(baseline, rule)}
    return Blocked((said,), {**evidence, "cause": PROVIDER}) if said else Passed(evidence)


def _judge_day(
    today: ProbeDay, days: Sequence[ProbeDay], rule: ProbeRule, clusters: Mapping[str, str] | None
) -> Verdict:
    baseline = baseline_of(
        [one.answered for one in days],
        clusters,
        models=[name for one in days for name in one.models],
        fingerprints=[name for one in days for name in one.fingerprints],
    )
    return judge_against(today, baseline, rule, clusters)


def _moved(today: ProbeDay, baseline: Baseline) -> str:
    """What answers say of themselves that they never said before; empty where that is nothing, or nothing is known."""
    pairs = (("model", today.models, baseline.models), ("fingerprint", today.fingerprints, baseline.fingerprints))
    told = [
        f"the {what} {', '.join(sorted(set(now) - set(before)))}, and until now with {', '.join(before)}"
        for what, now, before in pairs
        if before and set(now) - set(before)
    ]
    return f"{NO_LOCAL_CHANGE} answers with {' and '.join(told)}" if told else ""


def _too_little(answered: int, baseline: Baseline, rule: ProbeRule, clusters: Mapping[str, str] | None) -> str:
    """Why a day cannot be judged; empty where it can."""
    if baseline.days < rule.least_days:
        return f"{baseline.days} days of this release are on record, and {rule.least_days} are needed"
    if len(baseline.usual) < rule.least_probes:
        return f"{len(baseline.usual)} probes have a history, and {rule.least_probes} are needed"
    if answered < (1 - rule.most_missing) * len(baseline.usual):
        return f"{len(baseline.usual) - answered} of {len(baseline.usual)} probes got no answer"
    units = len({cluster_of(probe, clusters) for probe in baseline.usual})
    if not baseline.is_restless and _alarm_from(baseline, rule) > units:
        return f"all {units} probes could flip without an alarm; more probes, or more days, are needed"
    return ""


def _by_flips(
    answered: Mapping[str, float], baseline: Baseline, rule: ProbeRule, clusters: Mapping[str, str] | None
) -> str:
    """The alarm where more probes (or clusters of them) than ever by chance answer otherwise than usual."""
    flipped = [probe for probe in answered if answered[probe] != baseline.usual[probe]]
    count = len({cluster_of(probe, clusters) for probe in flipped})
    limit = _alarm_from(baseline, rule)
    if count < limit:
        return ""
    usual = fmean(baseline.usual[probe] for probe in answered)
    shown = ", ".join(sorted(flipped)[:_SHOWN]) + (" and more" if len(flipped) > _SHOWN else "")
    return (
        f"{NO_LOCAL_CHANGE} answers {len(flipped)} of {len(answered)} probes otherwise than in {baseline.days} days "
        f"(alarm from {limit} on): {fmean(answered.values()):.2f} against {usual:.2f}; {shown}"
    )


def _alarm_from(baseline: Baseline, rule: ProbeRule) -> int:
    """The fewest flips of one day that are no chance.

    They are beyond what the days varied by, and beyond what their number leaves to expect: the
    negative binomial prediction of a Poisson count from the days' sum, which knows that none in 28 days is not never.
    """
    from scipy.special import betainc

    count = int(_limit(baseline.flips, rule.daily)) + 1
    while betainc(count, sum(baseline.flips) + 1, 1 / (baseline.days + 1)) >= rule.daily:
        count += 1
    return count


def _limit(values: Sequence[float], chance: float) -> float:
    """What one more day exceeds with that chance: Student's limit, and twice as far from the middle as the worst day.

    So far out, days with a longer tail than the normal one exceed Student's limit six times as often as it says.
    """
    middle = median(values)
    return max(prediction_bound(values, confidence=1 - chance), middle + 2 * (max(values) - middle))


def _by_mean(answered: Mapping[str, float], baseline: Baseline, rule: ProbeRule) -> str:
    """The alarm where the day's mean is further from the baseline's, up or down, than a day ever is by chance."""
    moved = fmean(answered[probe] - baseline.means[probe] for probe in answered)
    lopsided = _lopsided(baseline, rule.daily / 2)
    high = _limit(baseline.shifts, rule.daily / 2) + lopsided
    low = -_limit([-shift for shift in baseline.shifts], rule.daily / 2) - lopsided
    if low <= moved <= high:
        return ""
    return (
        f"{NO_LOCAL_CHANGE} moved the mean of {len(answered)} probes by {moved:+.3f}, and {baseline.days} days leave "
        f"{low:+.3f} to {high:+.3f} to chance"
    )


def _lopsided(baseline: Baseline, chance: float) -> float:
    """By how much a limit lies further out since days' means are not normal: Cornish and Fisher's term of the skewness."""
    from scipy.special import ndtri

    return abs(baseline.skew) * (float(ndtri(chance)) ** 2 - 1) / 6 * stdev(baseline.shifts)
