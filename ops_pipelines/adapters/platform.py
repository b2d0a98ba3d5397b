"""Everything that an asset or a command reaches outside itself, in one value.

Dagster hands it to assets as the resource `platform`; the command line and tests make the same one. Its parts open
nothing until they are used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.clock import ProjectClock
from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.adapters.lake import Lake
from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.core.clock import Clock
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.pointer import Decision, promote, roll_back
from ops_pipelines.core.release import Move, ReleaseStore, find_release
from ops_pipelines.mlops.admission import Ruling

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Shipped:
    """A move of the pointer (None where it stood there already), and what went wrong with MLflow's alias, if anything."""

    move: Move | None
    mirror_problem: str | None


@dataclass(frozen=True, slots=True)
class Platform:
    """A project with its lake, objects, releases, clock, feature store and model registry."""

    project: Project
    lake: Lake
    objects: ObjectStore
    releases: ReleaseStore
    clock: Clock
    features: FeastStore
    registry: MLflowRegistry

    @classmethod
    def embedded(cls, project: Project | None = None) -> "Platform":
        """The platform that needs no server: files and SQLite under the project's home."""
        here = project or find_project()
        return cls(
            project=here,
            lake=Lake(here.home / "lake"),
            objects=ObjectStore(here.home / "objects" / "sha256"),
            releases=SQLiteReleaseStore(here.home / "control.db"),
            clock=ProjectClock(here.home),
            features=FeastStore(here),
            registry=MLflowRegistry(here.home),
        )

    def origin(self, run_id: str, code: str) -> Origin:
        """Who makes something now: this run, at this commit, with this code."""
        return Origin(run_id, self.project.commit(), code, self.clock.wall())

    def promote(self, system: str, digest: str, *, actor: str, reason: str) -> "Shipped":
        """Make a release live through its gate, then mirror it; NotPromotable with the reasons where it may not be."""
        release = find_release(self.releases, system, digest)
        move = promote(self.releases, release, self._decision(actor, reason), resolves=self._resolves)
        return self._mirrored(system, move)

    def roll_back(self, system: str, to: str | None, *, actor: str, reason: str) -> "Shipped":
        """Put an earlier release back, then mirror it."""
        move = roll_back(self.releases, system, self._decision(actor, reason), to=to, resolves=self._resolves)
        return self._mirrored(system, move)

    def _decision(self, actor: str, reason: str) -> Decision:
        return Decision(actor=actor, reason=reason, as_of=self.clock.as_of(), at=self.clock.wall())

    def _resolves(self, name: str, digest: str) -> bool:
        del name  # whatever the part, its bytes are in the one object store
        return self.objects.has(digest)

    def _mirrored(self, system: str, move: Move | None) -> "Shipped":
        """The pointer has moved, and that holds; MLflow's alias follows for people who look there."""
        if move is None:
            return Shipped(None, None)
        version = find_release(self.releases, system, move.release).latest.facts.get("model_version")
        try:
            if version:
                self.registry.mirror(system, "champion", str(version))
        except OpsError as error:
            return Shipped(move, str(error))
        return Shipped(move, None)

    def latest(self, address: str) -> Artefact | None:
        """What was written last at `key@partition`, accepted or not."""
        key, _, partition = address.partition("@")
        return self.lake.latest(key, partition)

    def good(self, address: str) -> Artefact | None:
        """What was accepted last at `key@partition`."""
        key, _, partition = address.partition("@")
        return self.lake.good(key, partition)

    def read_all(self, addresses: Iterable[str]) -> "pa.Table":
        """The accepted contents at some `key@partition` addresses of one dataset, one after the other."""
        import pyarrow as pa

        parts = [address.partition("@") for address in addresses]
        return pa.concat_tables([self.lake.read(key, partition) for key, _, partition in parts])

    def prediction(self, scores: str, id: str) -> dict[str, Any] | None:
        """The row of one prediction id in the scores at `key@partition`; None where it is not there."""
        import pyarrow.compute as pc

        key, _, partition = scores.partition("@")
        if self.lake.good(key, partition) is None:
            return None
        table = self.lake.read(key, partition)
        rows = table.filter(pc.equal(table.column("prediction_id"), id)).to_pylist()
        return rows[0] if rows else None

    def systems(self) -> tuple[str, ...]:
        """The systems that have checkpoints."""
        return tuple(sorted(folder.parent.name for folder in self.lake.root.glob("*/checkpoint")))

    def ruling(self, address: str) -> Ruling | None:
        """What a person decided about `key@partition`."""
        key, _, partition = address.partition("@")
        record = self.lake.decision(key, partition)
        return Ruling.from_json(record) if record else None
