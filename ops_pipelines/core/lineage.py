"""What made this: every artefact carries its own record of what it was made from.

Dagster's tags name the latest event of an input and not always the one that was read, so each artefact stores
`inputs: {key@partition: digest}` itself, and the walk reads nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import digest_json
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


@dataclass(frozen=True, slots=True)
class Node:
    """One thing on the way from an output to its origins: its kind, its id, what is known of it, what made it."""

    kind: str
    id: str
    facts: Mapping[str, Any]
    parents: tuple[tuple[str, str], ...] = ()


Resolver = Callable[[str], Node]
"""Finds the node of one kind by its id; raises an OpsError where there is none."""


def walk(kind: str, id: str, resolvers: Mapping[str, Resolver]) -> Iterator[tuple[int, Node]]:
    """The node and all that made it, depth first with the depth, each thing once.

    Each room registers a resolver for its kinds; a parent of a kind that nobody registered is a leaf without facts.
    """
    seen: set[tuple[str, str]] = set()

    def visit(depth: int, kind: str, id: str) -> Iterator[tuple[int, Node]]:
        if (kind, id) in seen:
            return
        seen.add((kind, id))
        node = resolvers[kind](id) if kind in resolvers else Node(kind, id, {})
        yield depth, node
        for parent in node.parents:
            yield from visit(depth + 1, *parent)

    yield from visit(0, kind, id)


def address(key: str, partition: str | None = None) -> str:
    """The name of one partition of an asset, as it stands in `inputs`.

    >>> address("flights", "2013-01-01"), address("aircraft")
    ('flights@2013-01-01', 'aircraft@-')
    """
    return f"{key}@{partition or STATIC}"


def digest_inputs(inputs: Mapping[str, str]) -> str:
    """One digest over everything that an artefact was made from."""
    return digest_json(dict(inputs))
