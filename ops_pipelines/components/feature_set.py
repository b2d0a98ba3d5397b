"""The FeatureSet component: a feature service of feature_repo/, applied, and kept fresh in the online store."""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.calendar import Weekly, window_of
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import first_or_changed, gated_eager
from ops_pipelines.components.feature_health import MEASURED, Health, make_health
from ops_pipelines.components.feature_inputs import addresses_of, applied_service
from ops_pipelines.components.publishing import Product, finding_spec, gate_spec, publish
from ops_pipelines.components.scaffolding import FeatureSetScaffolder
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json, digest_files, digest_json
from ops_pipelines.core.lineage import address
from ops_pipelines.core.verdict import Passed
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.freshness import FRESHNESS
from ops_pipelines.mlops.parity import PARITY

APPLIED, REFRESHED = "is_applied", "is_refreshed"


@dg.scaffold_with(FeatureSetScaffolder)
class FeatureSet(OpsComponent):
    """A feature service, by name: its definitions applied, and its values materialized online week by week.

    `datasets` are the assets that the service's views read. They stand here so that the graph is known without loading
    the feature store; `definitions` compares them with the service and refuses a difference.
    `health` names the rows whose features are looked at each week, offline against online; without it nobody looks.
    """

    name: str
    service: str
    weekly: Weekly
    datasets: list[str]
    health: Health | None = None
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """The applied definitions, the weekly refresh of the online store, and a look at it where `health` asks for one."""
        looked_at = [self._feature_health(self.health)] if self.health else []
        return dg.Definitions(assets=[self._definitions(), self._online(), *looked_at])

    def _definitions(self) -> dg.AssetsDefinition:
        key = dg.AssetKey([self.name, "definitions"])

        @dg.asset(
            key=key,
            check_specs=[gate_spec(APPLIED, key, None)],
            code_version=digest_files(sorted(find_project().feature_repo.glob("*.py"))),
            automation_condition=first_or_changed(),
            description=f"The feature service {self.service!r} as Feast has it in its registry.",
            owners=self.owners,
            group_name="features",
            kinds={"feast"},
        )
        def definitions(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.MaterializeResult:
            platform.features.apply()
            return publish(context, platform, self._applied(platform), check=APPLIED)

        return definitions

    def _online(self) -> dg.AssetsDefinition:
        key, weeks = dg.AssetKey([self.name, "online"]), self.weekly.definition()

        @dg.asset(
            key=key,
            partitions_def=weeks,
            deps=[dg.AssetKey([self.name, "definitions"]), *self.datasets],
            check_specs=[gate_spec(REFRESHED, key, weeks)],
            automation_condition=gated_eager(),
            description=f"The values of {self.service!r} in the online store, up to the end of the week.",
            owners=self.owners,
            group_name="features",
            kinds={"feast", "sqlite"},
        )
        def online(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            refreshed = self._refreshed(platform, weeks, context.partition_key)
            return publish(context, platform, refreshed, check=REFRESHED)

        return online

    def _feature_health(self, health: Health) -> dg.AssetsDefinition:
        key, weeks = dg.AssetKey([self.name, "feature_health"]), self.weekly.definition()

        @dg.asset(
            key=key,
            partitions_def=weeks,
            deps=[dg.AssetKey([self.name, "online"]), health.dataset],
            check_specs=[
                gate_spec(MEASURED, key, weeks),
                *(finding_spec(name, key, weeks) for name in (PARITY, FRESHNESS)),
            ],
            code_version=code_version("ops_pipelines.mlops.parity"),
            automation_condition=gated_eager(),
            description=f"Whether {self.service!r} serves what training reads, and how old what it serves is.",
            owners=self.owners,
            group_name="features",
            kinds={"parquet"},
        )
        def feature_health(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.MaterializeResult:
            made = make_health(self, health, platform, context.partition_key)
            return publish(context, platform, made, check=MEASURED)

        return feature_health

    def _applied(self, platform: Platform) -> Product:
        import pyarrow as pa

        service = platform.features.service(self.service)
        self._check_datasets(service)
        platform.objects.put(canonical_json(service.to_json()))
        rows = [
            {"feature": feature, "view": table.name, "dataset": table.dataset, "keys": ", ".join(table.keys)}
            for table in service.tables
            for feature in table.features
        ]
        table = pa.Table.from_pylist(rows)
        return Product(table, digest_json(service.to_json()), Passed(), inputs={}, facts={"service": service.to_json()})

    def _refreshed(self, platform: Platform, weeks: dg.TimeWindowPartitionsDefinition, week: str) -> Product:
        import pyarrow as pa

        _, definitions = applied_service(platform, self.name)
        wanted = [found for dataset in self.datasets for found in addresses_of(platform, dataset, [week])]
        admission = admit(wanted, latest=platform.latest, ruling=platform.ruling)
        inputs = {f"{self.name}/definitions@-": definitions, **admission.inputs}
        passed = isinstance(admission.verdict, Passed)
        unchanged = self._unchanged(platform, inputs)
        window = window_of(weeks, week)
        refreshed = platform.features.refresh(self.service, window, unchanged=unchanged) if passed else ()
        rows = [
            {"view": view.view, "dataset": view.dataset, "start": view.start, "end": view.end} for view in refreshed
        ]
        return Product(pa.Table.from_pylist(rows), digest_json(inputs), admission.verdict, inputs)

    def _unchanged(self, platform: Platform, inputs: Mapping[str, str]) -> list[str]:
        """Whole datasets that the latest refresh brought online as they are now, by the same definitions."""
        key = f"{self.name}/online"
        done = [made for week in platform.lake.partitions(key) if (made := platform.lake.good(key, week))]
        last = max(done, key=lambda made: made.origin.at, default=None)
        definitions = f"{self.name}/definitions@-"
        if last is None or last.inputs[definitions] != inputs[definitions]:
            return []
        whole = [address(dataset) for dataset in self.datasets if address(dataset) in inputs]
        return [found.partition("@")[0] for found in whole if last.inputs.get(found) == inputs[found]]

    def _check_datasets(self, service: FeatureService) -> None:
        read = sorted({table.dataset for table in service.tables})
        if read != sorted(self.datasets):
            raise ConfigError(
                f"Feature set {self.name!r} lists the datasets {sorted(self.datasets)}, and the views of the service "
                f"{self.service!r} read {read}",
                expected="the same datasets in both places",
                action="Correct `datasets` in its defs.yaml",
            )
