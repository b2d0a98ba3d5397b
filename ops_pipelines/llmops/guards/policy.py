"""A content policy: which rules hold for a system, and what is said where one refuses. A part of its release.

refusal: The runbooks do not answer this.
rules:
  - name: the answer is in the passages
    where: output           # input, context or output
    check: grounded
    action: block           # block, warn, or for passages drop
    settings: {least: 0.5}  # optional
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_json

BLOCK, WARN, DROP = "block", "warn", "drop"
ACTIONS = (BLOCK, WARN, DROP)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check at a place, and what becomes of what it finds: BLOCK stops, WARN is only told, DROP takes a passage away."""

    name: str
    where: str
    check: str
    action: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of a system in their order, and what a caller is told in place of what may not go out."""

    refusal: str
    rules: tuple[Rule, ...]

    @property
    def digest(self) -> str:
        """The digest of all that decides what the policy lets through."""
        return digest_json(self.to_json())

    def at(self, where: str) -> tuple[Rule, ...]:
        """The rules of a place."""
        return tuple(rule for rule in self.rules if rule.where == where)

    def to_json(self) -> dict[str, Any]:
        """The policy as plain JSON, read back by `from_json`."""
        return {"refusal": self.refusal, "rules": [asdict(rule) for rule in self.rules]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Policy":
        """The policy that `to_json` wrote; DataError for anything else."""
        try:
            return cls(str(record["refusal"]), tuple(Rule(**rule) for rule in record["rules"]))
        except (KeyError, TypeError) as error:
            raise DataError(
                f"A stored policy cannot be read: {dict(record)!r}",
                expected="a record written by Policy.to_json",
                action="Build the release again",
            ) from error
