"""What changed a score: the prompt, the corpus, the model, the parameters, or the provider behind an unchanged pin.

Every mixture of old and new is asked the same cases, and each case's change is divided among the sources by Shapley (1953):
what a source adds, averaged over all orders in which the sources can be swapped. Shares add up exactly to the change, and a
source that adds nothing anywhere has none. A case's shares are exact, so that their mean over cases has an interval by
clusters as any paired difference has.

Changing one thing at a time misses what two changes do together, and a mean before and after names nobody. Where scores of
the old release are on record from when it went live, the same release asked again tells what its provider did.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import factorial, isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.attribution_cells import Cell, cells_of, name_of_cell
from ops_pipelines.llmops.paired import Effect, effect_of

if TYPE_CHECKING:
    import numpy as np

Scores: TypeAlias = Mapping[str, float | None]
"""A score by case; None for a case that failed."""
PROVIDER = "the provider"
"""The source that nobody here changed."""


@dataclass(frozen=True, slots=True)
class AttributionRule:
    """What it takes to name a cause.

    `confidence` is that of naming none where nothing changed, over all sources together. The rule is stricter than a
    comparison's, since a name is what people act on. `effect` is the change that would matter, seen with `power`.
    ConfigError for numbers that cannot be meant.
    """

    confidence: float = 0.98
    effect: float = 0.1
    power: float = 0.8

    def __post_init__(self) -> None:
        check_settings(
            self,
            "attribution",
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
            effect=(self.effect > 0, "a difference of the score, above 0"),
            power=(0.5 <= self.power < 1, "at least 0.5 and less than 1"),
        )


@dataclass(frozen=True, slots=True)
class Share:
    """What one source did to the mean score.

    `p_value` is adjusted for the number of sources. `part` is its part of the total change, which is None where the total
    cannot be told from 0: a percentage of nothing.
    """

    source: str
    effect: Effect
    p_value: float
    is_cause: bool
    part: float | None


@dataclass(frozen=True, slots=True)
class Attribution:
    """The change from the old release to the new one, divided among the sources; no shares where something is missing."""

    shares: tuple[Share, ...]
    total: Effect | None
    missing_cells: tuple[Cell, ...] = ()
    missing_cases: tuple[str, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        """The sources that are named, the one that did most first."""
        named = [share for share in self.shares if share.is_cause]
        return tuple(share.source for share in sorted(named, key=lambda one: -abs(one.effect.difference)))

    def to_json(self) -> dict[str, Any]:
        """The attribution as plain JSON."""
        shares = [
            {
                **share.effect.to_json(),
                "source": share.source,
                "p_value": share.p_value,
                "is_cause": share.is_cause,
                "part": share.part,
            }
            for share in self.shares
        ]
        return {
            "shares": shares,
            "total": self.total.to_json() if self.total else None,
            "missing_cells": [name_of_cell(cell) for cell in self.missing_cells],
            "missing_cases": list(self.missing_cases),
        }


DEFAULT_RULE = AttributionRule()


def attribute(
    scores: Mapping[Cell, Scores],
    clusters: Mapping[str, str] | None = None,
    *,
    rule: AttributionRule = DEFAULT_RULE,
    recorded: Scores | None = None,
) -> Attribution:
    """The change divided among the sources that the cells name; better is higher.

    `recorded` are the old release's scores from when it went live, on the same cases: what it scores otherwise today is
    the provider's share. Cells that are missing, and cases that some cell has not scored, are named and nothing is divided.
    """
    import numpy as np

    sources = sorted(frozenset().union(*scores))
    cells = cells_of(sources)
    missing = tuple(cell for cell in cells if cell not in scores)
    asked = [*scores.values(), *([recorded] if recorded is not None else [])]
    every = sorted({case for one in asked for case in one})
    unscored = tuple(case for case in every if not all(_is_scored(one.get(case)) for one in asked))
    nothing = not sources and recorded is None
    if missing or unscored or nothing or not every:
        return Attribution((), None, missing, unscored)
    moved = shapley_by_case({cell: _column(scores[cell], every) for cell in cells})
    if recorded is not None:
        moved[PROVIDER] = _column(scores[frozenset()], every) - _column(recorded, every)
    effects = {source: effect_of(dict(zip(every, by, strict=True)), clusters) for source, by in moved.items()}
    total = effect_of(dict(zip(every, np.sum(list(moved.values()), axis=0), strict=True)), clusters)
    return Attribution(_shares(effects, total, rule), total)


def judge_attribution(attribution: Attribution, rule: AttributionRule = DEFAULT_RULE) -> Verdict:
    """Blocked with each source that lowered the score; Passed where none did and one that matters would have been seen.

    NotEvaluated where a cell or a case is missing, where nothing was asked, where the score fell and nobody can be named,
    and where a change that matters could not have been seen.
    """
    evidence = {"attribution": attribution.to_json(), "rule": asdict(rule)}
    if attribution.total is None:
        return NotEvaluated(_incomplete(attribution), evidence)
    reasons = tuple(_reason(share) for share in _harmful(attribution))
    if reasons:
        return Blocked(reasons, evidence)
    if attribution.total.difference < 0 and attribution.total.p_value < 0.05:
        return NotEvaluated(
            f"the score fell by {-attribution.total.difference:.3f}, and no source can be named", evidence
        )
    weakest = max(_detectable(share.effect, rule, len(attribution.shares)) for share in attribution.shares)
    if weakest > rule.effect:
        return NotEvaluated(
            f"cannot tell: {attribution.total.mean.rows} cases see what a source did from {weakest:.3f} on, and "
            f"{rule.effect:g} would matter",
            evidence,
        )
    return Passed(evidence)


def shapley_by_case(columns: "Mapping[Cell, np.ndarray]") -> "dict[str, np.ndarray]":
    """Each source's Shapley value for each case, from the scores of every mixture; {} where no source is swapped.

    With k sources, swapping one into a mixture of s others counts s! (k - s - 1)! / k!.
    """
    sources = sorted(frozenset().union(*columns))
    count = len(sources)
    weights = [factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)]
    return {
        source: sum(
            weights[len(cell)] * (columns[cell | {source}] - columns[cell]) for cell in columns if source not in cell
        )
        for source in sources
    }


def _shares(effects: Mapping[str, Effect], total: Effect, rule: AttributionRule) -> tuple[Share, ...]:
    # Bonferroni and not Holm: that one cause was found makes it no easier to name another.
    adjusted = [min(1.0, len(effects) * effect.p_value) for effect in effects.values()]
    tells = total.p_value < 0.05
    return tuple(
        Share(
            source,
            effect,
            p_value,
            p_value < 1 - rule.confidence,
            effect.difference / total.difference if tells else None,
        )
        for (source, effect), p_value in zip(effects.items(), adjusted, strict=True)
    )


def _harmful(attribution: Attribution) -> list[Share]:
    by_name = {share.source: share for share in attribution.shares}
    return [by_name[name] for name in attribution.causes if by_name[name].effect.difference < 0]


def _reason(share: Share) -> str:
    low, high = share.effect.mean.interval() or (float("nan"), float("nan"))
    part = f", {share.part:.0%} of the change" if share.part is not None else ""
    unchanged = "no local change: " if share.source == PROVIDER else ""
    return (
        f"{unchanged}{share.source} moved the score by {share.effect.difference:+.3f} ({low:+.3f} to {high:+.3f}){part}"
    )


def _detectable(effect: Effect, rule: AttributionRule, sources: int) -> float:
    """The smallest effect that is named with the rule's power, where it is the only one."""
    confidence = 1 - (1 - rule.confidence) / (2 * sources)
    found = effect.mean.detectable(confidence=confidence, power=rule.power)
    return float("inf") if found is None else found


def _incomplete(attribution: Attribution) -> str:
    if attribution.missing_cells:
        named = "; ".join(name_of_cell(cell) for cell in attribution.missing_cells)
        return f"{len(attribution.missing_cells)} mixtures were not asked: {named}"
    if attribution.missing_cases:
        shown = ", ".join(attribution.missing_cases[:5])
        return f"{len(attribution.missing_cases)} cases are not scored in every mixture ({shown})"
    return "nothing differs between the releases, and no scores of the old one are on record"


def _is_scored(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _column(scores: Scores, cases: list[str]) -> "np.ndarray":
    import numpy as np

    return np.array([scores[case] for case in cases], dtype=float)
