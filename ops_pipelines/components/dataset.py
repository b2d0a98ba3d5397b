"""The Dataset component: a loader and a declaration become an asset whose partitions are judged before anyone reads them."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.calendar import Weekly, trailing, weeks_until, window_of
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import first_or_changed, gated_eager
from ops_pipelines.components.feature_inputs import addresses_of
from ops_pipelines.components.publishing import Product, gate_spec, publish
from ops_pipelines.components.scaffolding import DatasetScaffolder
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import DataError, OpsError
from ops_pipelines.core.fingerprint import digest_json, digest_table
from ops_pipelines.core.lineage import address
from ops_pipelines.core.verdict import Passed
from ops_pipelines.mlops.admission import Admission, admit, apply_ruling
from ops_pipelines.mlops.dataset import DatasetSpec, conform, declared_columns, key_of
from ops_pipelines.mlops.dataset_quality import Summary, judge_partition, summarize
from ops_pipelines.mlops.training import import_function

if TYPE_CHECKING:
    import pyarrow as pa

CHECK = "is_good"
ARRIVES = "ops/arrives"
"""The tag of a dataset that comes from outside, week by week; the clock sensor asks for it when its week has passed."""


@dg.scaffold_with(DatasetScaffolder)
class Dataset(OpsComponent):
    """A table that a function loads or derives, week by week or whole.

    `loader` is called with the start and the end of the week (nothing where `weekly` is left out), and with each dataset
    of `reads` as a table under its name, holding as many weeks as `reads` says, the present one included.
    """

    name: str
    loader: str
    key: str | list[str]
    columns: dict[str, str]
    time_column: str | None = None
    weekly: Weekly | None = None
    reads: dict[str, int] = Field(default_factory=dict)
    row_ratio: float = 2.0
    null_growth: float = 0.2
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """One asset with its blocking check."""
        spec, weeks = self.spec(), self.weekly.definition() if self.weekly else None
        key = dg.AssetKey(self.name.split("/"))

        @dg.asset(
            key=key,
            partitions_def=weeks,
            deps=[dg.AssetDep(name, partition_mapping=trailing(count)) for name, count in self.reads.items()],
            check_specs=[gate_spec(CHECK, key, weeks)],
            code_version=code_version(self.loader),
            automation_condition=self._condition(),
            description=self.description,
            owners=self.owners,
            group_name="data",
            kinds={"parquet"},
            tags={} if self.reads or not weeks else {ARRIVES: "weekly"},
        )
        def dataset(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = self.make(platform, spec, weeks, context.partition_key if weeks else None)
            return publish(context, platform, made, check=CHECK)

        return dg.Definitions(assets=[dataset])

    def spec(self) -> DatasetSpec:
        """The declaration that partitions are judged by."""
        return DatasetSpec(
            name=self.name,
            columns=declared_columns(self.columns),
            key=key_of(self.key),
            time_column=self.time_column,
            row_ratio=self.row_ratio,
            null_growth=self.null_growth,
        )

    def _condition(self) -> dg.AutomationCondition | None:
        """Derived data follows what it reads, whole data is loaded once, and weekly data waits for its week."""
        if self.reads:
            return gated_eager()
        return None if self.weekly else first_or_changed()

    def make(
        self, platform: Platform, spec: DatasetSpec, weeks: dg.TimeWindowPartitionsDefinition | None, week: str | None
    ) -> Product:
        """One partition, loaded and judged; without rows and not passed where something that it reads was refused."""
        admission = self._admit(platform, weeks, week)
        if not isinstance(admission.verdict, Passed):
            return Product(spec.empty(), digest_json(None), admission.verdict, admission.inputs)
        window = window_of(weeks, week) if weeks and week else None
        table = conform(self._load(platform, window, admission), spec)
        verdict = judge_partition(table, spec, window=window, last_good=_last_good(platform, self.name, week))
        digest = digest_table(table, key=spec.key)
        ruled = apply_ruling(verdict, digest, platform.ruling(address(self.name, week)))
        facts = {"summary": summarize(table).to_json(), "excluded": dict(admission.excluded)}
        return Product(table, digest, ruled, admission.inputs, facts=facts)

    def _admit(
        self, platform: Platform, weeks: dg.TimeWindowPartitionsDefinition | None, week: str | None
    ) -> Admission:
        if not self.reads:
            return Admission({}, Passed())
        wanted = [
            found
            for name, count in self.reads.items()
            for found in addresses_of(platform, name, weeks_until(weeks, week, count) if weeks and week else [])
        ]
        return admit(wanted, latest=platform.latest, ruling=platform.ruling)

    def _load(self, platform: Platform, window: Window | None, admission: Admission) -> "pa.Table":
        import pandas as pd
        import pyarrow as pa

        load = import_function(self.loader, what="loader")
        tables = {
            name: platform.read_all({a: digest for a, digest in admission.inputs.items() if a.startswith(f"{name}@")})
            for name in self.reads
        }
        try:
            loaded = load(window.start, window.end, **tables) if window else load(**tables)
        except OpsError:
            raise
        except Exception as error:
            raise self._broken(f"raised {type(error).__name__}: {error}", window) from error
        if isinstance(loaded, pd.DataFrame):
            loaded = pa.Table.from_pandas(loaded, preserve_index=False)
        if not isinstance(loaded, pa.Table):
            raise self._broken(f"returned {type(loaded).__name__}", window)
        return loaded

    def _broken(self, how: str, window: Window | None) -> DataError:
        return DataError(
            f"The loader {self.loader} of dataset {self.name!r} {how}"
            + (f" for {window.start:%Y-%m-%d}" if window else ""),
            expected="an Arrow table or a pandas DataFrame",
            action="Mend the loader or its source and materialize again; the last good content is unchanged",
            dataset=self.name,
        )


def _last_good(platform: Platform, name: str, week: str | None) -> Summary | None:
    """What the last accepted partition before this one looked like; for a whole dataset, what it replaces."""
    earlier = [partition for partition in platform.lake.partitions(name) if week is None or partition < week]
    before = platform.lake.good(name, earlier[-1]) if earlier else None
    return Summary(**before.facts["summary"]) if before else None
