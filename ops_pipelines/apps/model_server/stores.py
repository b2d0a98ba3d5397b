"""The project's stores as the server reads them: the pointer, the objects, the clock, and none of it written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.pointer_watch import PointerWatch
from ops_pipelines.adapters.served_release import ServedRelease, load_served
from ops_pipelines.apps.model_server.settings import Settings
from ops_pipelines.core.clock import Clock
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.release import Release
from ops_pipelines.mlops.canary import Canary


@dataclass(frozen=True, slots=True)
class PlatformStores:
    """What the board reads, from a project's platform."""

    platform: Platform
    settings: Settings
    watch: PointerWatch

    @classmethod
    def of_project(cls, settings: Settings) -> "PlatformStores":
        """The stores of the project around the working directory."""
        platform = Platform.embedded()
        return cls(platform, settings, PointerWatch(platform.project.home / "control.db"))

    def has_changed(self) -> bool:
        return self.watch.has_changed()

    def systems(self) -> Sequence[str]:
        """The ones that were asked for, else every one that has a live release of a Model."""
        return self.settings.systems or self.platform.systems()

    def canary(self, system: str) -> Canary | None:
        from ops_pipelines.adapters.sqlite_canaries import SQLiteCanaryStore

        return SQLiteCanaryStore(self.platform.project.home / "control.db").running(system, self.settings.environment)

    def load(self, release: Release) -> ServedRelease:
        return load_served(self.platform.objects, release)


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
