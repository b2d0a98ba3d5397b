"""What a system is, and what a store keeps of it: its releases and the moves of its pointers.

A **manifest** names by digest everything that decides what a system does; its own digest is over that behaviour alone,
so the same parts give the same release on any machine. **Evidence** says how it came about and why it may ship; it has a
digest of its own and is appended. Which release is live, and who may change that, is `core.pointer`.

A ReleaseStore must guarantee three things, which `ops_pipelines.testing.release_store` checks: what was saved is
returned unchanged, moves come back in order, and of two appends after the same row one raises LostRace.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ReleaseError, near_miss
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.verdict import Verdict, verdict_from_json, verdict_to_json


@dataclass(frozen=True, slots=True)
class Manifest:
    """A system's behaviour as content digests, with the releases it uses (pinned) and the systems it operates."""

    system: str
    behaviour: Mapping[str, str]
    uses: Mapping[str, str] = field(default_factory=dict)
    operates: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The release digest: stamped on every prediction, answer and tool call."""
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The canonical content that the digest is over."""
        return {
            "system": self.system,
            "behaviour": dict(self.behaviour),
            "uses": dict(self.uses),
            "operates": list(self.operates),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Manifest":
        """The manifest that `to_json` wrote."""
        return cls(record["system"], record["behaviour"], record["uses"], tuple(record["operates"]))


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a release came about: its gate's verdict, the baseline it was judged against, and the facts around it.

    `baseline` is the digest of the release that was live when the gate compared them, None where there was none.
    `cut_off` is the instant after which the release knows nothing. `facts` are plain JSON: run, commit, metrics.
    """

    verdict: Verdict
    baseline: str | None
    cut_off: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": verdict_to_json(self.verdict),
            "baseline": self.baseline,
            "cut_off": utc(self.cut_off).isoformat(),
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Evidence":
        """The evidence that `to_json` wrote."""
        return cls(
            verdict=verdict_from_json(record["verdict"]),
            baseline=record["baseline"],
            cut_off=datetime.fromisoformat(record["cut_off"]),
            facts=record["facts"],
        )


@dataclass(frozen=True, slots=True)
class Release:
    """A manifest with all the evidence that was appended to it, oldest first."""

    manifest: Manifest
    evidence: tuple[Evidence, ...]

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def latest(self) -> Evidence:
        return self.evidence[-1]

    def evidence_of(self, digest: str) -> Evidence:
        """The evidence of a digest, which a pointer's move names; the latest where there is none of that digest."""
        return next((evidence for evidence in self.evidence if evidence.digest == digest), self.latest)


_INSTANTS = ("as_of", "at", "expires")


@dataclass(frozen=True, slots=True)
class Move:
    """One row of a pointer's history. `previous` is the hash of the row before, empty for the first.

    `expires` is the wall clock's instant until which an override was asked for; None for every other action.
    """

    system: str
    environment: str
    sequence: int
    release: str
    evidence: str
    action: str
    actor: str
    reason: str
    as_of: datetime
    at: datetime
    previous: str
    expires: datetime | None = None

    @property
    def hash(self) -> str:
        """Over every field that has a value, the hash of the row before included."""
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON, without what is None: rows from before a field was thought of keep their hash."""
        values = {name: getattr(self, name) for name in self.__slots__}
        instants = {name: utc(values[name]).isoformat() for name in _INSTANTS if values[name] is not None}
        return {name: value for name, value in (values | instants).items() if value is not None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Move":
        """The move that `to_json` wrote."""
        instants = {name: datetime.fromisoformat(record[name]) for name in _INSTANTS if name in record}
        return cls(**{**record, **instants})


class ReleaseStore(Protocol):
    """Where manifests, evidence and moves are kept."""

    def save(self, manifest: Manifest, evidence: Evidence) -> None:
        """Keep a manifest and append evidence to it; saving the same pair again changes nothing."""

    def releases(self, system: str) -> tuple[Release, ...]:
        """Every release of a system, in the order in which they were first saved."""

    def append(self, move: Move) -> None:
        """Add a row after the one it names in `previous`; LostRace where another row came first."""

    def history(self, system: str, environment: str) -> tuple[Move, ...]:
        """A pointer's moves, oldest first; empty where nothing was ever promoted."""


class ReleaseIndex(Protocol):
    """Which systems a store knows: what looks over all of them at once asks this of a store, too."""

    def systems(self) -> tuple[str, ...]:
        """Every system that has a release, by name."""


class IndexedReleaseStore(ReleaseStore, ReleaseIndex, Protocol):
    """A ReleaseStore that can be looked over as a whole."""


def find_release(store: ReleaseStore, system: str, digest: str) -> Release:
    """The release of a system whose digest begins with these digits; ReleaseError for none or several."""
    known = store.releases(system)
    found = [release for release in known if digest and release.digest.startswith(digest)]
    if len(found) == 1:
        return found[0]
    raise ReleaseError(
        f"{'No' if not found else 'More than one'} release of {system!r} begins with {digest!r}",
        expected="the first digits of exactly one release",
        action=f"{near_miss(digest, [short(release.digest) for release in known])} `ops releases {system}` lists them",
        system=system,
        digest=digest,
    )
