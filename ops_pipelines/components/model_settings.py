"""What a model's YAML says beside its function: its rows, its labels, and the rules of gate, watching and retraining.

Each rule is a frozen value of the domain; here it only gets a place in YAML, with the domain's own defaults.
"""

from typing import Any, Literal

import dagster as dg
from pydantic import Field

from ops_pipelines.mlops.canary_verdict import CanaryRule
from ops_pipelines.mlops.drift import DriftRule
from ops_pipelines.mlops.evaluation import GateRule
from ops_pipelines.mlops.performance import PerformanceRule
from ops_pipelines.mlops.reference import ReferenceRule
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.mlops.search import SearchRule
from ops_pipelines.mlops.training import Weighting


class Entities(dg.Model, dg.Resolvable):
    """The rows to score: their dataset, the column that names one, and the column that tells when it is asked about."""

    dataset: str
    key: str
    asked_at: str


class Labels(dg.Model, dg.Resolvable):
    """The outcomes: their dataset, the column that holds them, and the column that tells when each became known.

    Performance of a week is judged when it has ended and `wait_weeks` more have passed, with what is known then.
    """

    dataset: str
    column: str
    known_at: str
    wait_weeks: int = 0


class Weights(dg.Model, dg.Resolvable):
    """How much each row counts in training; see `ops_pipelines.mlops.training.Weighting`."""

    half_life_weeks: float | None = None
    column: str | None = None

    def weighting(self) -> Weighting:
        """The weighting as the domain knows it."""
        return Weighting(**_settings(self))


class Search(dg.Model, dg.Resolvable):
    """Which other parameters are tried; see `ops_pipelines.mlops.search.SearchRule`."""

    trials: int = SearchRule().trials
    space: dict[str, Any] = Field(default_factory=dict)
    cpu_seconds: float | None = SearchRule().cpu_seconds
    judged_weeks: int = SearchRule().judged_weeks

    def rule(self) -> SearchRule:
        """The rule as the domain knows it."""
        return SearchRule(**_settings(self))


class Gate(dg.Model, dg.Resolvable):
    """What a challenger has to show; see `ops_pipelines.mlops.evaluation.GateRule`."""

    confidence: float = GateRule().confidence
    min_rows: int = GateRule().min_rows
    slice_margin: float = GateRule().slice_margin

    def rule(self) -> GateRule:
        """The rule as the domain knows it."""
        return GateRule(**_settings(self))


class Canary(dg.Model, dg.Resolvable):
    """When a canary is taken back, and when it passes; see `ops_pipelines.mlops.canary_verdict.CanaryRule`.

    Its margin is the gate's `slice_margin`.
    """

    confidence: float = CanaryRule().confidence
    min_days: int = CanaryRule().min_days
    min_rows: int = CanaryRule().min_rows
    looks: int = CanaryRule().looks

    def rule(self, *, margin: float) -> CanaryRule:
        """The rule as the domain knows it."""
        return CanaryRule(margin=margin, **_settings(self))


class Drift(dg.Model, dg.Resolvable):
    """When a column has drifted, see `ops_pipelines.mlops.drift.DriftRule`, and from what.

    `reference` is `training` (the release's training period), `trailing` (the last `reference_weeks` scored weeks before)
    or `same_season` (so many scored weeks around the same one a year before); see `ops_pipelines.mlops.reference`.
    """

    confidence: float = DriftRule().confidence
    significance: float = DriftRule().significance
    floor: float = DriftRule().floor
    min_rows: int = DriftRule().min_rows
    min_windows: int = DriftRule().min_windows
    feature_share: float = DriftRule().feature_share
    min_slice_rows: int = DriftRule().min_slice_rows
    reference: Literal["training", "trailing", "same_season"] = "training"
    reference_weeks: int = ReferenceRule().weeks

    def rule(self) -> DriftRule:
        """The rule as the domain knows it."""
        settings = _settings(self)
        del settings["reference"], settings["reference_weeks"]
        return DriftRule(**settings)

    def compared_with(self) -> ReferenceRule:
        """Which windows a week is compared with."""
        return ReferenceRule(self.reference, self.reference_weeks)


class Performance(dg.Model, dg.Resolvable):
    """When a week's performance is too bad; see `ops_pipelines.mlops.performance.PerformanceRule`."""

    confidence: float = PerformanceRule().confidence
    day_confidence: float = PerformanceRule().day_confidence
    min_rows: int = PerformanceRule().min_rows
    min_coverage: float = PerformanceRule().min_coverage
    min_windows: int = PerformanceRule().min_windows
    min_slice_rows: int = PerformanceRule().min_slice_rows

    def rule(self) -> PerformanceRule:
        """The rule as the domain knows it."""
        return PerformanceRule(**_settings(self))


class Retraining(dg.Model, dg.Resolvable):
    """When the model is trained again by itself; see `ops_pipelines.mlops.retraining_rule.RetrainingRule`."""

    flagged: int = RetrainingRule().flagged
    of: int = RetrainingRule().of
    quiet: int = RetrainingRule().quiet
    cooldown_weeks: int = RetrainingRule().cooldown_weeks
    max_age_weeks: int = RetrainingRule().max_age_weeks
    budget_runs: int = RetrainingRule().budget_runs
    budget_weeks: int = RetrainingRule().budget_weeks
    budget_cpu_seconds: float | None = RetrainingRule().budget_cpu_seconds
    price_per_cpu_hour_usd: float | None = RetrainingRule().price_per_cpu_hour_usd
    patience_weeks: int = RetrainingRule().patience_weeks

    def rule(self) -> RetrainingRule:
        """The rule as the domain knows it."""
        return RetrainingRule(**_settings(self))


def _settings(model: dg.Model) -> dict[str, Any]:
    return model.model_dump()
