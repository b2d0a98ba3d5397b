"""Which partitions an artefact may be made from.

Something that reads several partitions (a training set, a rolling statistic) looks at the verdict of what was written
last in each, never at the mere existence of a file, and is refused by one that did not pass. A person may rule on a
refused partition, with a reason: accept exactly this content, or leave the partition out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, name_of, reasons_of

ACCEPT, EXCLUDE = "accept", "exclude"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decided about one refused content: accept it or exclude it, who, why and when."""

    action: str
    digest: str
    actor: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        if self.action not in (ACCEPT, EXCLUDE) or not self.reason.strip():
            raise ConfigError(
                f"A ruling to {self.action!r} because {self.reason!r}",
                expected="accept or exclude, with a reason that a colleague understands in a year",
                action="Say why with --reason",
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": utc(self.at).isoformat()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Ruling":
        """The ruling that `to_json` wrote."""
        return cls(**{**record, "at": datetime.fromisoformat(record["at"])})


@dataclass(frozen=True, slots=True)
class Admission:
    """What may be read, by address and digest; what was excluded, by address and reason; whether that is enough."""

    inputs: Mapping[str, str]
    verdict: Verdict
    excluded: Mapping[str, str] = field(default_factory=dict)


def apply_ruling(verdict: Verdict, digest: str, ruling: Ruling | None) -> Verdict:
    """A verdict after a person's ruling: Passed where exactly this content was accepted, else unchanged."""
    if isinstance(verdict, Passed) or ruling is None or ruling.action != ACCEPT or ruling.digest != digest:
        return verdict
    return Passed(
        {
            **verdict.evidence,
            "accepted_by": ruling.actor,
            "because": ruling.reason,
            "despite": list(reasons_of(verdict)),
        }
    )


def admit(
    wanted: Sequence[str], *, latest: Callable[[str], Artefact | None], ruling: Callable[[str], Ruling | None]
) -> Admission:
    """Which of the wanted addresses may be read, and whether all may.

    `latest` finds what was written last at an address, accepted or not; `ruling` what a person decided about it. One
    refused partition makes the verdict Blocked; one that was never written or never judged makes it NotEvaluated.
    """
    inputs: dict[str, str] = {}
    excluded: dict[str, str] = {}
    refused, unknown = [], []
    for address in wanted:
        artefact, decided = latest(address), ruling(address)
        if decided and decided.action == EXCLUDE and (artefact is None or artefact.digest == decided.digest):
            excluded[address] = f"{decided.actor}: {decided.reason}"
        elif artefact is None:
            unknown.append(f"{address} was never written")
        elif isinstance(artefact.verdict, Passed):
            inputs[address] = artefact.digest
        elif isinstance(artefact.verdict, Blocked):
            refused.append(_refusal(artefact))
        else:
            unknown.append(_refusal(artefact))
    return Admission(inputs, _verdict(refused, unknown, inputs), excluded)


def is_acceptable(artefact: Artefact) -> bool:
    """Whether a person may accept it: content that a dataset loaded and summarized, and not what a gate refused."""
    return "summary" in artefact.facts


def what_to_do(artefact: Artefact) -> str:
    """What helps with a refused artefact."""
    key, _, partition = artefact.address.partition("@")
    if is_acceptable(artefact):
        return f"repair it, or `ops data accept|exclude {key} {partition}`"
    return f"`ops why {artefact.address}` names what it was made from"


def _refusal(artefact: Artefact) -> str:
    return (
        f"{artefact.address} ({short(artefact.digest)}) is {name_of(artefact.verdict)}: "
        f"{'; '.join(reasons_of(artefact.verdict))} ({what_to_do(artefact)})"
    )


def _verdict(refused: list[str], unknown: list[str], inputs: Mapping[str, str]) -> Verdict:
    if refused:
        return Blocked(tuple(refused + unknown))
    if unknown:
        return NotEvaluated("; ".join(unknown))
    return Passed() if inputs else NotEvaluated("there is nothing to read")
