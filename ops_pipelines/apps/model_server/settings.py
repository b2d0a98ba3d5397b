"""What `ops serve` was asked for, as the workers read it: they are processes of their own, started by a module's name."""

import json
import os
from dataclasses import asdict, dataclass

from ops_pipelines.core.errors import ConfigError

VARIABLE = "OPS_SERVE"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ACKNOWLEDGED_AT_RISK = 1_000
"""How many answers that were said to be queued may be lost where all workers are killed at once."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One server. `systems` empty means every Model that has a live release; `hosts` are the names it answers to."""

    systems: tuple[str, ...] = ()
    environment: str = "production"
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    hosts: tuple[str, ...] = ()
    features: bool = True
    tokens: bool = False
    look_seconds: float = 0.1
    max_body_bytes: int = 1_048_576
    body_seconds: float = 10.0
    grace_seconds: float = 10.0
    max_concurrency: int = 1_024

    def __post_init__(self) -> None:
        if not (1 <= self.workers <= 64 and 0 < self.look_seconds <= 0.25 and 0 <= self.port <= 65_535):
            raise ConfigError(
                f"{self.workers} workers on port {self.port} that look each {self.look_seconds:g} s",
                expected="1 to 64 workers, a port up to 65535, and a look at least each 0.25 s",
                action="Correct the option",
            )
        if self.host not in LOOPBACK and not self.tokens:
            raise ConfigError(
                f"The address {self.host} can be reached from elsewhere, and no token would be asked for",
                expected=f"one of {', '.join(LOOPBACK)}, or callers with tokens",
                action="Add --tokens and give callers theirs (`ops principal add NAME --role caller`)",
            )

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The Host headers that are answered: another one comes from a page that was lured here."""
        return (*LOOPBACK, "[::1]", *self.hosts)

    @property
    def most_pending(self) -> int:
        """How many answers one worker may hold that are not in the log yet."""
        return max(1, ACKNOWLEDGED_AT_RISK // self.workers)

    def to_environment(self) -> str:
        """The text for the variable OPS_SERVE."""
        return json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings that the starting process left."""
        kept = json.loads(os.environ[VARIABLE])
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()})
