"""The project's stores as the server reads them: the pointer, the objects, the clock, and none of it written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.pointer_watch import PointerWatch
from ops_pipelines.adapters.served_release import ServedRelease, is_servable, load_served
from ops_pipelines.adapters.sqlite_canaries import SQLiteCanaryStore
from ops_pipelines.adapters.sqlite_principals import SQLitePrincipalStore
from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.apps.model_server.settings import Settings
from ops_pipelines.core.clock import Clock
from ops_pipelines.core.composite import all_used
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.pointer import live_release
from ops_pipelines.core.release import Release
from ops_pipelines.mlops.canary import Canary

BUSY_SECONDS = 0.25
"""How long a look waits for a writer: the next one comes soon, and meanwhile the health says that it could not be read."""


@dataclass(frozen=True, slots=True)
class PlatformStores:
    """What the board reads, from a project's platform."""

    platform: Platform
    settings: Settings
    watch: PointerWatch

    @classmethod
    def of_project(cls, settings: Settings) -> "PlatformStores":
        """The stores of the project around the working directory, which are read and never made."""
        platform = Platform.embedded()
        control = platform.project.home / "control.db"
        reading: dict[str, Any] = {"timeout_seconds": BUSY_SECONDS, "create": False}
        only_read = replace(
            platform,
            releases=SQLiteReleaseStore(control, **reading),
            canaries=SQLiteCanaryStore(control, **reading),
            principals=SQLitePrincipalStore(control, **reading),
        )
        return cls(only_read, settings, PointerWatch(control))

    def has_changed(self) -> bool:
        return self.watch.has_changed()

    def systems(self) -> Sequence[str]:
        """The ones that were asked for, else every Model of which something is live here.

        One that was trained and never went live keeps no other from being ready.
        """
        known = self.platform.releases.systems()
        return self.settings.systems or [system for system in known if self._is_live(system) and self._is_model(system)]

    def pinned(self, system: str) -> Sequence[str]:
        """The releases of a system that are used by what is live in this environment."""
        releases, environment = self.platform.releases, self.settings.environment
        others = [other for other in releases.systems() if other != system and not self._is_model(other)]
        live = [found for other in others if (found := live_release(releases, other, environment))]
        used = [used for release in live for used in all_used(release, self.platform.release)]
        return tuple(dict.fromkeys(digest for name, digest in used if name == system))

    def canary(self, system: str) -> Canary | None:
        return self.platform.canaries.running(system, self.settings.environment)

    def load(self, release: Release) -> ServedRelease:
        return load_served(self.platform.objects, release)

    def _is_live(self, system: str) -> bool:
        return bool(self.platform.releases.history(system, self.settings.environment))

    def _is_model(self, system: str) -> bool:
        return any(is_servable(release) for release in self.platform.releases.releases(system))


class WatchedClock:
    """The platform's clock without reading a file at each request: its distance from the wall's, as of the last look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.as_of() - clock.wall()

    def follow(self) -> None:
        """Reads the position anew; one that cannot be read leaves the last one in force."""
        try:
            self._ahead = self._clock.as_of() - self._clock.wall()
        except (ConfigError, OSError):
            return

    def as_of(self) -> datetime:
        return self._clock.wall() + self._ahead

    def wall(self) -> datetime:
        return self._clock.wall()
