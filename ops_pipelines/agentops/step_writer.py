"""How a step comes to the disk: its names and payloads redacted and shortened, by the one writer of a run log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.agentops.payload import LIMIT_BYTES, Payload, payload_of, plain, shortened
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import Entry, Step, Tally
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes, digest_json

_LONGEST_NAME = 200
Keep = Callable[[Sequence[Entry]], Tally]
"""Where entries go: `RunLog.append`."""


class NotKept(DataError):
    """The log rejected a step: another one has its place."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes entries of what happened and keeps them: the one way to a run log, by which nothing goes unredacted."""

    keep: Keep
    redactor: Redactor = field(default_factory=Redactor)
    limit_bytes: int = LIMIT_BYTES

    def payload(self, value: Any) -> Payload | None:
        """A plain value as it may be kept; None for None."""
        if value is None:
            return None
        content = canonical_json(value)
        if len(content) <= self.limit_bytes:
            redacted = self.redactor.value(value)
            return payload_of(redacted) if redacted != value else Payload(digest_bytes(content), len(content), content)
        kept = canonical_json(self.redactor.value(shortened(value, self.limit_bytes)))
        return Payload(digest_bytes(content), len(content), kept)

    def word(self, text: str, longest: int = _LONGEST_NAME) -> str:
        """A name or a sentence as it may be kept; one that is too long ends with its digest."""
        if len(text) > longest:
            text = f"{shortened(plain(text), longest)} {digest_json(plain(text))[:12]}"
        return self.redactor.text(plain(text))

    def write(self, step: Step, *payloads: Payload | None) -> None:
        """Keep a step, whose names were redacted; NotKept where the log rejects it."""
        tally = self.keep([Entry(step, tuple(payload for payload in payloads if payload is not None))])
        for rejected, why in tally.rejected:
            raise NotKept(
                f"The step {rejected} ({step.kind} {step.name!r}) of run {step.run} was not kept: {why}",
                expected="a run whose id nobody used before",
                action="Make a new id for each run",
                run=step.run,
            )
