"""What made this: every artefact carries its own record of what it was made from.

Dagster's tags name the latest event of an input and not always the one that was read, so each artefact stores
`inputs: {key@partition: digest}` itself, and the walks of `core.walk` and `core.reach` read nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.verdict import Verdict, verdict_from_json, verdict_to_json

STATIC = "-"
"""The partition of an asset that has none."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made an artefact: the run, the commit of the project, the digest of the code, and when."""

    run_id: str
    commit: str
    code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Artefact:
    """The record of one partition of one asset: what it is, what it was made from, and how it was judged."""

    key: str
    partition: str
    digest: str
    verdict: Verdict
    inputs: Mapping[str, str]
    origin: Origin
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return address(self.key, self.partition)

    @property
    def findings(self) -> dict[str, Verdict]:
        """What was found in the artefact's content, by name: performance, drift. Its own verdict is about its making."""
        return {name: verdict_from_json(record) for name, record in self.facts.get("findings", {}).items()}

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON, read back by `from_json`."""
        return {
            "key": self.key,
            "partition": self.partition,
            "digest": self.digest,
            "verdict": verdict_to_json(self.verdict),
            "inputs": dict(self.inputs),
            "origin": {
                "run_id": self.origin.run_id,
                "commit": self.origin.commit,
                "code": self.origin.code,
                "at": utc(self.origin.at).isoformat(),
            },
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Artefact":
        """The artefact whose record `to_json` wrote."""
        origin = record["origin"]
        return cls(
            key=record["key"],
            partition=record["partition"],
            digest=record["digest"],
            verdict=verdict_from_json(record["verdict"]),
            inputs=record["inputs"],
            origin=Origin(origin["run_id"], origin["commit"], origin["code"], datetime.fromisoformat(origin["at"])),
            facts=record["facts"],
        )


def address(key: str, partition: str | None = None) -> str:
    """The name of one partition of an asset, as it stands in `inputs`.

    >>> address("flights", "2013-01-01"), address("aircraft")
    ('flights@2013-01-01', 'aircraft@-')
    """
    return f"{key}@{partition or STATIC}"
