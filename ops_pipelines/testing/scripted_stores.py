"""What a server's board reads, as a test says: releases in memory, loads that succeed, fail, or take as long as they like.

stores = ScriptedStores()
stores.make_live("a"); stores.fails["a"] = OSError("no disk")
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ops_pipelines.adapters.served_release import ServedRelease
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Release
from ops_pipelines.mlops.canary import Canary
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.serving import signature_of
from ops_pipelines.testing.release_store import InMemoryReleaseStore, evidence_against, manifest_of, move_after


@dataclass(slots=True)
class ScriptedStores:
    """Releases of `flight_delay`, each named by a model's text, and their pointer."""

    releases: InMemoryReleaseStore = field(default_factory=InMemoryReleaseStore)
    fails: dict[str, BaseException] = field(default_factory=dict)
    """What the load of a model raises."""
    loads: list[str] = field(default_factory=list)
    """The models that were asked for, in turn."""
    gone: bool = False
    begun: Canary | None = None
    used: tuple[str, ...] = ()
    _changed: bool = True

    def make_live(self, model: str) -> str:
        """Publishes a release and moves the pointer to it; its digest."""
        digest = self.publish(model)
        history = self.releases.history("flight_delay", PRODUCTION)
        self.releases.append(move_after(history[-1] if history else None, digest))
        self._changed = True
        return digest

    def publish(self, model: str) -> str:
        """Saves a release; its digest."""
        manifest = manifest_of(model)
        self.releases.save(manifest, evidence_against(None))
        return manifest.digest

    def write(self) -> None:
        """Something was written that a reader has to look at."""
        self._changed = True

    def has_changed(self) -> bool:
        """Whether anything was written since this was last asked; DataError while the store is gone."""
        if self.gone:
            raise DataError("The release store is gone", expected="a store", action="Bring it back")
        changed, self._changed = self._changed, False
        return changed

    def systems(self) -> Sequence[str]:
        """The one system."""
        return ("flight_delay",)

    def canary(self, system: str) -> Canary | None:
        """The canary that was begun."""
        return self.begun if system == "flight_delay" else None

    def pinned(self, system: str) -> Sequence[str]:
        """The releases that composites use."""
        return self.used if system == "flight_delay" else ()

    def load(self, release: Release) -> ServedRelease:
        """A release that scores every row alike; what `fails` says for its model."""
        model = self._model(release.manifest.behaviour["model"])
        self.loads.append(model)
        if model in self.fails:
            raise self.fails[model]
        return ServedRelease(
            system=release.manifest.system,
            digest=release.digest,
            signature=signature_of(["x"], {}, {}),
            score=lambda columns: [0.5 for _ in columns["x"]],
            service=FeatureService("none", ()),
            entity=None,
        )

    def _model(self, digest: str) -> str:
        return next(text for text in map(chr, range(97, 123)) if digest_bytes(text.encode()) == digest)
