"""A canary: a release that answers a share of the requests beside the one that is live, until it is judged.

Which requests it takes is drawn by lot and stays so: sha256 of a salt and the request's key, so that a key meets the same
release on every worker and machine, and a larger share takes the keys of a smaller one and some more. The pointer does
not move for it. Whether it does harm is judged in `canary_verdict`.

A CanaryStore keeps what was begun and how it ended, and nothing is ever changed (`ops_pipelines.testing.canary_store`
checks it): of two that begin at once for one pointer the second is refused and told which one runs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError, ReleaseError
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.verdict import Verdict, verdict_from_json, verdict_to_json

CANARY = "canary"
"""The finding about a running canary."""

_SPACE = 1 << 64


@dataclass(frozen=True, slots=True)
class Canary:
    """A candidate that takes a share of the requests from the champion; who began it, why, and when.

    `share` is more than 0 and less than 1, since an arm without rows compares with nothing: ConfigError otherwise. `salt`
    makes each canary draw its own lots. `as_of` is the logical instant of its beginning, `at` the wall clock's.
    """

    system: str
    environment: str
    candidate: str
    champion: str
    share: float
    salt: str
    actor: str
    reason: str
    as_of: datetime
    at: datetime
    _threshold: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(
                f"A canary of {self.system!r} would take a share of {self.share}",
                expected="more than 0 and less than 1",
                action="Name a share such as 0.1; for all requests promote the release",
            )
        object.__setattr__(self, "_threshold", int(self.share * _SPACE))  # once, and not for each request

    @property
    def digest(self) -> str:
        """What tells this canary from every other, of the same release too."""
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The canary as plain JSON, read back by `from_json`."""
        told = {name: value for name, value in asdict(self).items() if name != "_threshold"}
        return told | {"as_of": utc(self.as_of).isoformat(), "at": utc(self.at).isoformat()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Canary":
        """The canary that `to_json` wrote."""
        return cls(**{**record, **_instants(record)})


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a canary: who ended it and why, and how it was judged at that time."""

    system: str
    environment: str
    candidate: str
    actor: str
    reason: str
    verdict: Verdict
    as_of: datetime
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """The ending as plain JSON, read back by `from_json`."""
        told = {name: getattr(self, name) for name in ("system", "environment", "candidate", "actor", "reason")}
        instants = {"as_of": utc(self.as_of).isoformat(), "at": utc(self.at).isoformat()}
        return told | {"verdict": verdict_to_json(self.verdict)} | instants

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Ending":
        """The ending that `to_json` wrote."""
        return cls(**{**record, **_instants(record), "verdict": verdict_from_json(record["verdict"])})


class CanaryStore(Protocol):
    """What was begun and how it ended. `ops_pipelines.testing.canary_store` checks an implementation."""

    def begin(self, canary: Canary) -> None:
        """Append a canary; ReleaseError that names the one that runs already for this system and environment."""

    def end(self, ending: Ending) -> None:
        """Append the end of the one that runs; ReleaseError where that is not this candidate's, or none."""

    def running(self, system: str, environment: str) -> Canary | None:
        """The one that was begun and not ended. Whether it still counts, `still_runs` says."""

    def past(self, system: str, environment: str) -> tuple[tuple[Canary, Ending], ...]:
        """Every one that ended, the oldest first, each with its end."""


def takes(canary: Canary, key: str) -> bool:
    """Whether the candidate answers the request of a key: the same answer for ever, true for the canary's share of keys."""
    # JSON may hold half of a surrogate pair, and whoever sends one gets an answer all the same.
    drawn = sha256((canary.salt + key).encode(errors="surrogatepass")).digest()
    return int.from_bytes(drawn[:8], "big") < canary._threshold


def still_runs(canary: Canary, live: str | None) -> bool:
    """Whether a canary that nobody ended still means something: its champion is live, and so its candidate is not."""
    return live == canary.champion


def check_begins(canary: Canary, running: Canary | None) -> None:
    """Raises the error that every store raises for a canary beside another."""
    if running is not None:
        raise ReleaseError(
            f"A canary of {canary.system!r} runs in {canary.environment!r} already: {short(running.candidate)} with "
            f"{running.share:.0%} of the requests, begun by {running.actor}: {running.reason}",
            expected="one canary at a time for each pointer, or nobody could tell their effects apart",
            action=f"Wait for its verdict, or end it: `ops canary stop {canary.system}`",
            system=canary.system,
            running=running.candidate,
        )


def check_ends(ending: Ending, running: Canary | None) -> None:
    """Raises the error that every store raises for the end of a canary that does not run."""
    if running is None or running.candidate != ending.candidate:
        now = f"the one of {short(running.candidate)} runs" if running else "none runs"
        raise ReleaseError(
            f"No canary of release {short(ending.candidate)} of {ending.system!r} runs in {ending.environment!r}; {now}",
            expected="the candidate of the canary that runs",
            action=f"`ops canary status {ending.system}` says which one that is",
            system=ending.system,
        )


def _instants(record: Mapping[str, Any]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(record[name]) for name in ("as_of", "at")}
