"""The Model component: one training function becomes training sets, gated checkpoints, releases and weekly scores."""

import re
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.calendar import Weekly, ahead, behind
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import gated_eager
from ops_pipelines.components.model_canary import canary_sensor, make_canary
from ops_pipelines.components.model_checkpoint import make_checkpoint
from ops_pipelines.components.model_drift import make_drift
from ops_pipelines.components.model_fitting import CheckpointConfig
from ops_pipelines.components.model_jobs import pointer_jobs
from ops_pipelines.components.model_monitoring import make_performance
from ops_pipelines.components.model_predictions import ScoringConfig, make_predictions
from ops_pipelines.components.model_release import make_release
from ops_pipelines.components.model_report import OWN_PROCESS, make_report, report_sensor
from ops_pipelines.components.model_retraining import make_episodes, retraining_backstop, retraining_sensor
from ops_pipelines.components.model_served import make_served
from ops_pipelines.components.model_settings import (
    Canary,
    Drift,
    Entities,
    Gate,
    Labels,
    Performance,
    Retraining,
    Search,
    Weights,
)
from ops_pipelines.components.model_training_set import make_training_set, window_mapping
from ops_pipelines.components.model_watching import SCORED, scoring_sensor, watching_sensor
from ops_pipelines.components.publishing import finding_spec, gate_spec, publish
from ops_pipelines.components.scaffolding import ModelScaffolder
from ops_pipelines.components.training_meter import metered
from ops_pipelines.mlops.canary import CANARY
from ops_pipelines.mlops.drift import FEATURE_DRIFT, LABEL_DRIFT, PREDICTION_DRIFT
from ops_pipelines.mlops.performance import PERFORMANCE
from ops_pipelines.mlops.retraining_requests import RETRAINING
from ops_pipelines.mlops.task import CLASSIFICATION, Task, task_named
from ops_pipelines.mlops.training_window import Policy


@dg.scaffold_with(ModelScaffolder)
class Model(OpsComponent):
    """A model that is trained on the weeks before a cut-off, gated against what is live, released, and scores each week.

    `train` is a function `(rows, params, seed) -> model`. `task` is `classification` or `regression`. `features` names a
    FeatureSet. The last `holdout_weeks` of the `window_weeks` are kept from training and judge it; `window: expanding`
    learns from all weeks before, too. `slices` are columns by which it must not get worse. At each of `thresholds` a
    classifier's card shows precision and recall.
    """

    name: str
    train: str
    task: str = CLASSIFICATION.name
    flavour: str
    weekly: Weekly
    entities: Entities
    labels: Labels
    features: str
    params: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    window: Policy = "trailing"
    window_weeks: int = 10
    holdout_weeks: int = 2
    slices: list[str] = Field(default_factory=list)
    thresholds: list[float] = Field(default_factory=list)
    weights: Weights = Field(default_factory=Weights)
    search: Search = Field(default_factory=Search)
    gate: Gate = Field(default_factory=Gate)
    canary: Canary = Field(default_factory=Canary)
    drift: Drift = Field(default_factory=Drift)
    performance: Performance = Field(default_factory=Performance)
    retraining: Retraining = Field(default_factory=Retraining)
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """Its assets, the jobs that train, promote and roll back, and what scores, watches and retrains by itself."""
        self.asked()  # an unknown task is refused where the YAML is loaded
        scores = self._job("score", *SCORED)
        compact = self._job("compact", "served", *SCORED)
        watch = self._job("watch", "performance", "drift", "episodes")
        train = self._job("train", "training_set", "checkpoint")
        report = self._job("report", "drift_report", tags=OWN_PROCESS)
        try_out = self._job("canary", "canary")
        scored = [self._served(), self._predictions()]
        watching = [self._performance(), self._drift(), self._episodes(), self._drift_report(), self._canary()]
        sensors = [scoring_sensor(self, [scores, compact]), watching_sensor(self, watch)]
        sensors += [retraining_sensor(self, train), report_sensor(self, report), canary_sensor(self, try_out)]
        return dg.Definitions(
            assets=[self._training_set(), self._checkpoint(), self._release(), *scored, *watching],
            jobs=[train, scores, compact, watch, report, try_out, *pointer_jobs(self.name)],
            sensors=sensors,
            schedules=[retraining_backstop(self, train)],
        )

    def _job(self, verb: str, *parts: str, tags: dict[str, str] | None = None) -> Any:
        """The job `<verb>_<name>` that makes some of this model's assets."""
        return dg.define_asset_job(f"{verb}_{self.name}", dg.AssetSelection.assets(*map(self.key, parts)), tags=tags)

    def key(self, part: str) -> dg.AssetKey:
        """The key of one of this model's assets, for instance `flight_delay/checkpoint`."""
        return dg.AssetKey([self.name, part])

    def weeks(self) -> dg.TimeWindowPartitionsDefinition:
        """The weeks that all its assets are partitioned by."""
        return self.weekly.definition()

    def asset(self, part: str, check: str, *findings: str, kinds: set[str], description: str, **settings: Any) -> Any:
        """The decorator of one of this model's assets, with its blocking check and the ones that only warn."""
        key, weeks = self.key(part), self.weeks()
        return dg.asset(
            key=key,
            partitions_def=weeks,
            check_specs=[gate_spec(check, key, weeks), *(finding_spec(name, key, weeks) for name in findings)],
            group_name=self.name,
            owners=self.owners,
            kinds=kinds,
            description=description,
            **settings,
        )

    def asked(self) -> Task:
        """What the model is asked for."""
        return task_named(self.task, thresholds=self.thresholds)

    def _training_set(self) -> dg.AssetsDefinition:
        read = (self.entities.dataset, self.labels.dataset, dg.AssetKey([self.features, "online"]))

        @self.asset(
            "training_set",
            "inputs_passed",
            deps=[dg.AssetDep(key, partition_mapping=window_mapping(self)) for key in read],
            kinds={"duckdb", "parquet"},
            description="Every row of the weeks up to the cut-off, its features as known when asked, and its label.",
        )
        def training_set(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.MaterializeResult:
            with metered(context, platform):
                made = make_training_set(self, platform, context.partition_key)
            return publish(context, platform, made, check="inputs_passed")

        return training_set

    def _checkpoint(self) -> dg.AssetsDefinition:
        @self.asset(
            "checkpoint",
            "gate",
            deps=[self.key("training_set")],
            code_version=code_version(self.train),
            kinds={re.split("[:/]", self.flavour)[-1].lower(), "mlflow"},  # a kind may hold neither
            description=f"{self.description or self.name}. Judged on later rows against the release that is live.",
        )
        def checkpoint(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform], config: CheckpointConfig
        ) -> dg.MaterializeResult:
            with metered(context, platform):
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

    def _served(self) -> dg.AssetsDefinition:
        @self.asset(
            "served",
            "is_complete",
            kinds={"parquet"},
            description="What servers answered about the week: every score with the vector that was seen, by any release.",
        )
        def served(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            return publish(context, platform, make_served(self, platform, context.partition_key), check="is_complete")

        return served

    def _predictions(self) -> dg.AssetsDefinition:
        @self.asset(
            "predictions",
            "is_complete",
            deps=[self.entities.dataset, dg.AssetKey([self.features, "online"]), self.key("served")],
            kinds={"parquet"},
            description="One score for each row of the week, by the release that was live when the week began.",
        )
        def predictions(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform], config: ScoringConfig
        ) -> dg.MaterializeResult:
            made = make_predictions(self, platform, context.partition_key, named=config.release)
            return publish(context, platform, made, check="is_complete")

        return predictions

    def _canary(self) -> dg.AssetsDefinition:
        labels = dg.AssetDep(self.labels.dataset, partition_mapping=ahead(self.labels.wait_weeks))

        @self.asset(
            "canary",
            "is_judged",
            CANARY,
            deps=[self.key("served"), labels],
            kinds={"parquet"},
            description="How the canary does beside the live release since it began; one that does harm is taken back.",
        )
        def canary(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_canary(self, platform, context.partition_key, actor=f"run {context.run.run_id}")
            return publish(context, platform, made, check="is_judged")

        return canary

    def _performance(self) -> dg.AssetsDefinition:
        labels = dg.AssetDep(self.labels.dataset, partition_mapping=ahead(self.labels.wait_weeks))

        @self.asset(
            "performance",
            "is_measured",
            PERFORMANCE,
            LABEL_DRIFT,
            deps=[self.key("predictions"), labels],
            kinds={"parquet"},
            description="How the week's scores turned out: their loss and the gap to the outcomes, overall and per slice.",
        )
        def performance(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.MaterializeResult:
            return publish(
                context, platform, make_performance(self, platform, context.partition_key), check="is_measured"
            )

        return performance

    def _drift(self) -> dg.AssetsDefinition:
        @self.asset(
            "drift",
            "is_measured",
            FEATURE_DRIFT,
            PREDICTION_DRIFT,
            deps=[self.key("predictions")],
            kinds={"parquet"},
            description="How far the week's features and scores are from the training period of the release that scored it.",
        )
        def drift(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            return publish(context, platform, make_drift(self, platform, context.partition_key), check="is_measured")

        return drift

    def _episodes(self) -> dg.AssetsDefinition:
        judged = dg.AssetDep(self.key("performance"), partition_mapping=behind(self.labels.wait_weeks))

        @self.asset(
            "episodes",
            "is_told",
            RETRAINING,
            deps=[self.key("drift"), judged],
            kinds={"parquet"},
            description="Every episode of trouble so far: since when, why, which run answered it, and how it ended.",
        )
        def episodes(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            return publish(context, platform, make_episodes(self, platform, context.partition_key), check="is_told")

        return episodes

    def _drift_report(self) -> dg.AssetsDefinition:
        @self.asset(
            "drift_report",
            "is_drawn",
            deps=[self.key("drift")],
            kinds={"evidently", "html"},
            description="The page about a week for people, made when an episode opens, or on request: materialize it.",
        )
        def drift_report(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.MaterializeResult:
            return publish(context, platform, make_report(self, platform, context.partition_key), check="is_drawn")

        return drift_report
