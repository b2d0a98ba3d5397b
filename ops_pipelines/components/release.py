"""The Release component: releases of other systems, pinned, become one that is gated and promoted as a whole."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.going_live import make_live
from ops_pipelines.components.model_jobs import pointer_jobs
from ops_pipelines.components.publishing import Product, gate_spec, publish, table_of, why_command
from ops_pipelines.components.scaffolding import ReleaseScaffolder
from ops_pipelines.core.composite import compose
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Evidence, Manifest, find_release
from ops_pipelines.core.release import Release as Kept
from ops_pipelines.core.verdict import NotEvaluated, Verdict

LIVE = "live"
"""Written in place of a digest: the release that is live when the composite is composed."""


@dg.scaffold_with(ReleaseScaffolder)
class Release(OpsComponent):
    """A system that is made of others. `uses` pins each to a digest, or to what is `live` when it is composed.

    `operates` names systems that it calls by their pointers. `require` names assets whose latest partition, with what was
    found in it, has to have passed. Nothing starts by itself: composing and promoting are somebody's decisions.
    """

    name: str
    uses: dict[str, str] = Field(min_length=1)
    operates: list[str] = Field(default_factory=list)
    require: list[str] = Field(default_factory=list)
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """What it is composed of, its release, and the jobs that promote it and put an earlier one back."""
        return dg.Definitions(assets=[self._composition(), self._release()], jobs=pointer_jobs(self.name))

    def _asset(self, part: str, check: str, **settings: Any) -> Any:
        key = dg.AssetKey([self.name, part])
        return dg.asset(
            key=key,
            check_specs=[gate_spec(check, key, None)],
            group_name=self.name,
            owners=self.owners,
            kinds={"sqlite"},
            **settings,
        )

    def _composition(self) -> dg.AssetsDefinition:
        @self._asset("composition", "gate", description=self.description or f"What {self.name} uses and operates.")
        def composition(
            context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
        ) -> dg.MaterializeResult:
            made = make_composition(self, platform, run_id=context.run.run_id)
            return publish(context, platform, made, check="gate")

        return composition

    def _release(self) -> dg.AssetsDefinition:
        @self._asset(
            "release",
            "is_live",
            deps=[dg.AssetKey([self.name, "composition"])],
            description="The composition, live: its own pointer moved, and no other.",
        )
        def release(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            key = f"{self.name}/composition"
            made = make_live(self.name, platform, platform.lake.latest(key), key, actor=f"run {context.run.run_id}")
            return publish(context, platform, made, check="is_live")

        return release


def make_composition(release: Release, platform: Platform, *, run_id: str) -> Product:
    """The manifest of what is named now, judged as a whole and kept; ReleaseError where a used system has none such."""
    used = {system: _used(platform, system, named) for system, named in release.uses.items()}
    manifest = compose(
        release.name, {}, uses={system: kept.digest for system, kept in used.items()}, operates=release.operates
    )
    read = {found.address: found for asset in release.require if (found := _last(platform, asset))}
    cut_off = max(kept.latest.cut_off for kept in used.values())
    verdict = _judged(release, platform, manifest, cut_off, read)
    facts = {"run": run_id, "commit": platform.project.commit(), "release": manifest.digest}
    platform.releases.save(manifest, Evidence(verdict, platform.live(PRODUCTION, release.name), cut_off, facts))
    rows = [{"system": system, "release": kept.digest} for system, kept in used.items()]
    return Product(
        table_of(rows),
        digest=manifest.digest,
        verdict=verdict,
        inputs={address: found.digest for address, found in read.items()},
        facts=facts,
        shown={"release": short(manifest.digest), "why": why_command(short(manifest.digest))},
    )


def _used(platform: Platform, system: str, named: str) -> Kept:
    digest = platform.live(PRODUCTION, system) if named == LIVE else named
    if digest is None:
        raise ReleaseError(
            f"Nothing of {system!r} is live",
            expected=f"a live release, since `uses` says {LIVE}",
            action=f"`ops promote {system} RELEASE`, or write a digest of `ops releases {system}`",
            system=system,
        )
    return find_release(platform.releases, system, digest)


def _judged(
    release: Release, platform: Platform, manifest: Manifest, cut_off: datetime, read: Mapping[str, Artefact]
) -> Verdict:
    """Whether all of it fits together here, and what is required of other assets has passed."""
    whole = Kept(manifest, (Evidence(NotEvaluated("being judged"), None, cut_off),))
    found = {"fits together": platform.works_here(whole)}
    for asset in release.require:
        last = next((made for address, made in read.items() if address.startswith(f"{asset}@")), None)
        found[asset] = last.verdict if last else NotEvaluated("was never written")
        found |= {f"{asset}: {name}": verdict for name, verdict in (last.findings if last else {}).items()}
    judgements = [Judgement(name, manifest.digest, verdict) for name, verdict in found.items()]
    return decide(manifest.digest, required=list(found), judgements=judgements)


def _last(platform: Platform, asset: str) -> Artefact | None:
    """What was written last of an asset, accepted or not."""
    partitions = platform.lake.partitions(asset)
    return platform.lake.latest(asset, partitions[-1]) if partitions else None
