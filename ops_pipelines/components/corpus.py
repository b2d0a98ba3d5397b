"""The Corpus component: sources become snapshots that are reconciled, embedded, scanned, and judged before they are kept."""

from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.corpora import Corpora, CorpusSpec, spec_of
from ops_pipelines.adapters.embedders import HASHING
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import first_or_changed, scheduled
from ops_pipelines.components.corpus_snapshot import FINDINGS, RECONCILED, make_snapshot
from ops_pipelines.components.publishing import finding_spec, gate_spec, publish
from ops_pipelines.components.scaffolding import CorpusScaffolder
from ops_pipelines.llmops.chunking import Chunker
from ops_pipelines.llmops.corpus import ReconcileRule
from ops_pipelines.llmops.corpus_freshness import FreshnessRule
from ops_pipelines.llmops.retrieval import Fusion


class Source(dg.Model, dg.Resolvable):
    """A folder, from the project's root, with the names that match; or the documentation of installed packages.

    `unreadable` says whether a document that is no UTF-8 text or is too big is an `error` or a `skip` that is told.
    """

    folder: str | None = None
    match: list[str] | None = None
    packages: list[str] | None = None
    unreadable: str | None = None
    max_bytes: int | None = None


class Chunks(dg.Model, dg.Resolvable):
    """How documents are cut; see `ops_pipelines.llmops.chunking.Chunker`."""

    max_chars: int = Chunker().max_chars


class Reconcile(dg.Model, dg.Resolvable):
    """How much may go at once; see `ops_pipelines.llmops.corpus.ReconcileRule`."""

    max_removed: float = ReconcileRule().max_removed


class Freshness(dg.Model, dg.Resolvable):
    """How old snapshot and reviews may be; see `ops_pipelines.llmops.corpus_freshness.FreshnessRule`."""

    snapshot_days: float | None = FreshnessRule().snapshot_days
    review_days: float | None = FreshnessRule().review_days


class Hybrid(dg.Model, dg.Resolvable):
    """How words and vectors are weighed; see `ops_pipelines.llmops.retrieval.Fusion`."""

    dense_weight: float = Fusion().dense_weight
    constant: int = Fusion().constant
    depth: int = Fusion().depth


@dg.scaffold_with(CorpusScaffolder)
class Corpus(OpsComponent):
    """Documents that are retrieved from. The embedder is `hashing`, `sentence-transformer`, or your own `module:function`.

    `hostile` says whether text that is meant for a model warns or blocks. `schedule` is a cron expression. `re_embed` names
    the pin, by its first digits, that another embedder or chunker may replace.
    """

    name: str
    sources: list[Source] = Field(min_length=1)
    chunker: Chunks = Field(default_factory=Chunks)
    embedder: str = HASHING
    reconcile: Reconcile = Field(default_factory=Reconcile)
    freshness: Freshness = Field(default_factory=Freshness)
    fusion: Hybrid = Field(default_factory=Hybrid)
    hostile: str = "warn"
    re_embed: str | None = None
    schedule: str | None = None
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """The snapshot with its checks, and the schedule."""
        spec, key = self.spec(), dg.AssetKey([self.name, "snapshot"])
        return dg.Definitions(assets=[self._snapshot(spec, key)], schedules=self._schedules(key))

    def spec(self) -> CorpusSpec:
        """What adapters and commands know of it."""
        return spec_of(self._attributes(), find_project().root)

    def _attributes(self) -> dict[str, Any]:
        nested = ("chunker", "reconcile", "freshness", "fusion")
        return {
            "name": self.name,
            "sources": [source.model_dump() for source in self.sources],
            **{name: getattr(self, name).model_dump() for name in nested},
            **{name: getattr(self, name) for name in ("embedder", "hostile", "re_embed")},
        }

    def _snapshot(self, spec: CorpusSpec, key: dg.AssetKey) -> dg.AssetsDefinition:
        @dg.asset(
            key=key,
            check_specs=[gate_spec(RECONCILED, key, None), *(finding_spec(name, key, None) for name in FINDINGS)],
            code_version=code_version("ops_pipelines.llmops.corpus"),
            automation_condition=first_or_changed(),
            description=self.description or f"All that {self.name} is retrieved from, as the sources hold it.",
            owners=self.owners,
            group_name=self.name,
            kinds={"lancedb"},
        )
        def snapshot(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_snapshot(spec, platform, Corpora(platform.project.home))
            return publish(context, platform, made, check=RECONCILED)

        return snapshot

    def _schedules(self, key: dg.AssetKey) -> list[dg.ScheduleDefinition]:
        job = dg.define_asset_job(f"{self.name}_snapshot", dg.AssetSelection.assets(key))
        return scheduled(job, self.schedule)
