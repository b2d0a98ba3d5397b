"""The Model component: one training function becomes training sets, gated checkpoints, releases and weekly scores."""

from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import Weekly, trailing
from ops_pipelines.components.code import code_version
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import gated_eager
from ops_pipelines.components.model_checkpoint import CheckpointConfig, make_checkpoint
from ops_pipelines.components.model_jobs import pointer_jobs
from ops_pipelines.components.model_predictions import ScoringConfig, make_predictions, scoring_sensor
from ops_pipelines.components.model_release import make_release
from ops_pipelines.components.model_training_set import make_training_set
from ops_pipelines.components.publishing import gate_spec, publish
from ops_pipelines.components.scaffolding import ModelScaffolder
from ops_pipelines.mlops.evaluation import GateRule


class Entities(dg.Model, dg.Resolvable):
    """The rows to score: their dataset, the column that names one, and the column that tells when it is asked about."""

    dataset: str
    key: str
    asked_at: str


class Labels(dg.Model, dg.Resolvable):
    """The outcomes: their dataset, the column that holds them, and the column that tells when each became known."""

    dataset: str
    column: str
    known_at: str


class Gate(dg.Model, dg.Resolvable):
    """What a challenger has to show; see `ops_pipelines.mlops.evaluation.GateRule`."""

    confidence: float = 0.95
    min_rows: int = 200
    slice_margin: float = 0.02

    def rule(self) -> GateRule:
        """The rule as the domain knows it."""
        return GateRule(self.confidence, self.min_rows, self.slice_margin)


@dg.scaffold_with(ModelScaffolder)
class Model(OpsComponent):
    """A model that is trained on the weeks before a cut-off, gated against what is live, released, and scores each week.

    `train` is a function `(rows, params, seed) -> model`. `features` names a FeatureSet. The last `holdout_weeks` of the
    `window_weeks` are kept from training and judge it. `slices` are columns by which it must not get worse.
    """

    name: str
    train: str
    flavour: str
    weekly: Weekly
    entities: Entities
    labels: Labels
    features: str
    params: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    window_weeks: int = 10
    holdout_weeks: int = 2
    slices: list[str] = Field(default_factory=list)
    gate: Gate = Field(default_factory=Gate)
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """Four assets, the jobs that train, promote and roll back, and the sensor that scores."""
        checkpoints = dg.AssetSelection.assets(self.key("training_set"), self.key("checkpoint"))
        scores = dg.define_asset_job(f"score_{self.name}", dg.AssetSelection.assets(self.key("predictions")))
        return dg.Definitions(
            assets=[self._training_set(), self._checkpoint(), self._release(), self._predictions()],
            jobs=[dg.define_asset_job(f"train_{self.name}", checkpoints), scores, *pointer_jobs(self.name)],
            sensors=[scoring_sensor(self, scores)],
        )

    def key(self, part: str) -> dg.AssetKey:
        """The key of one of this model's assets, for instance `flight_delay/checkpoint`."""
        return dg.AssetKey([self.name, part])

    def weeks(self) -> dg.TimeWindowPartitionsDefinition:
        """The weeks that all its assets are partitioned by."""
        return self.weekly.definition()

    def asset(self, part: str, check: str, *, kinds: set[str], description: str, **settings: Any) -> Any:
        """The decorator of one of this model's assets, with its blocking check."""
        return dg.asset(
            key=self.key(part),
            partitions_def=self.weeks(),
            check_specs=[gate_spec(check, self.key(part), self.weeks())],
            group_name=self.name,
            owners=self.owners,
            kinds=kinds,
            description=description,
            **settings,
        )

    def _training_set(self) -> dg.AssetsDefinition:
        read = (self.entities.dataset, self.labels.dataset, dg.AssetKey([self.features, "online"]))

        @self.asset(
            "training_set",
            "inputs_passed",
            deps=[dg.AssetDep(key, partition_mapping=trailing(self.window_weeks)) for key in read],
            kinds={"duckdb", "parquet"},
            description="Every row of the weeks up to the cut-off, its features as known when asked, and its label.",
        )
        def training_set(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.MaterializeResult:
            made = make_training_set(self, platform, context.partition_key)
            return publish(context, platform, made, check="inputs_passed")

        return training_set

    def _checkpoint(self) -> dg.AssetsDefinition:
        @self.asset(
            "checkpoint",
            "gate",
            deps=[self.key("training_set")],
            code_version=code_version(self.train),
            kinds={self.flavour.rpartition(":")[2].lower(), "mlflow"},  # a kind may hold no colon
            description=f"{self.description or self.name}. Judged on later rows against the release that is live.",
        )
        def checkpoint(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform], config: CheckpointConfig
        ) -> dg.MaterializeResult:
            made = make_checkpoint(self, platform, context.partition_key, config, run_id=context.run.run_id)
            return publish(context, platform, made, check="gate")

        return checkpoint

    def _release(self) -> dg.AssetsDefinition:
        @self.asset(
            "release",
            "is_live",
            deps=[self.key("checkpoint")],
            automation_condition=gated_eager(),
            kinds={"sqlite"},
            description="The checkpoint, live: the pointer moved to it after its gate passed.",
        )
        def release(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_release(self, platform, context.partition_key, actor=f"run {context.run.run_id}")
            return publish(context, platform, made, check="is_live")

        return release

    def _predictions(self) -> dg.AssetsDefinition:
        @self.asset(
            "predictions",
            "is_complete",
            deps=[self.entities.dataset, dg.AssetKey([self.features, "online"])],
            kinds={"parquet"},
            description="One score for each row of the week, by the release that was live when the week began.",
        )
        def predictions(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform], config: ScoringConfig
        ) -> dg.MaterializeResult:
            made = make_predictions(self, platform, context.partition_key, named=config.release)
            return publish(context, platform, made, check="is_complete")

        return predictions
