"""How probes answered while all was well: what each usually scores, and how many answered otherwise each day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from ops_pipelines.llmops.paired import cluster_of


@dataclass(frozen=True, slots=True)
class Baseline:
    """Some days of one release.

    `usual` is what a probe scored most often, `means` its mean, for the probes that were answered on half of the days or
    more. `flips` counts for each day the probes (or clusters of them, of which there are `units`) that scored otherwise than
    on the other days. `shifts` is by how much each day's mean differs from that of all days, and `skew` how lopsided such
    means are. `models` and `fingerprints` are all that answers named.
    """

    days: int
    usual: Mapping[str, float]
    means: Mapping[str, float]
    flips: tuple[int, ...]
    shifts: tuple[float, ...]
    units: int
    skew: float = 0.0
    models: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()

    @property
    def is_restless(self) -> bool:
        """Whether at least half of the probes answer otherwise on an average day, so that a flip says nothing."""
        return bool(self.units) and fmean(self.flips) >= self.units / 2

    def to_json(self) -> dict[str, Any]:
        """What a verdict keeps of it as plain JSON."""
        kept = asdict(self)
        return {
            name: list(kept[name]) if isinstance(kept[name], tuple) else kept[name] for name in kept if name != "means"
        }


def baseline_of(
    days: Sequence[Mapping[str, float]],
    clusters: Mapping[str, str] | None = None,
    *,
    models: Sequence[str] = (),
    fingerprints: Sequence[str] = (),
) -> Baseline:
    """The baseline of some days, each with the scores of the probes that were answered."""
    often = Counter(probe for day in days for probe in day)
    by_probe = {
        probe: Counter(day[probe] for day in days if probe in day)
        for probe in sorted(often)
        if 2 * often[probe] >= len(days)
    }
    means = {probe: fmean(seen.elements()) for probe, seen in by_probe.items()}
    return Baseline(
        days=len(days),
        usual={probe: _most_common(seen) for probe, seen in by_probe.items()},
        means=means,
        flips=tuple(_flips(day, by_probe, clusters) for day in days),
        shifts=tuple(fmean([day[probe] - means[probe] for probe in means if probe in day] or [0.0]) for day in days),
        units=len({cluster_of(probe, clusters) for probe in by_probe}),
        skew=_skew(by_probe, means),
        models=tuple(sorted(set(models))),
        fingerprints=tuple(sorted(set(fingerprints))),
    )


def _flips(day: Mapping[str, float], by_probe: Mapping[str, Counter[float]], clusters: Mapping[str, str] | None) -> int:
    """How many probes scored otherwise than on the other days: the day itself is left out, as a new day would be."""
    flipped = [
        probe
        for probe, seen in by_probe.items()
        if probe in day and day[probe] != _most_common(seen - Counter([day[probe]]) or seen)
    ]
    return len({cluster_of(probe, clusters) for probe in flipped})


def _skew(by_probe: Mapping[str, Counter[float]], means: Mapping[str, float]) -> float:
    """The skewness of a day's mean over independent probes, from how each probe varied over the days; 0 where none did."""
    apart = {probe: [score - means[probe] for score in seen.elements()] for probe, seen in by_probe.items()}
    spread = sum(fmean(each**2 for each in values) for values in apart.values())
    return float(sum(fmean(each**3 for each in values) for values in apart.values()) / spread**1.5) if spread else 0.0


def _most_common(seen: Counter[float]) -> float:
    return max(seen, key=lambda score: (seen[score], score))
