"""What may go in, what may be read and what may come out: each place with its rules, each rule with a verdict.

Only Passed lets anything through. A rule that fails, or that cannot tell, is NotEvaluated, and where it blocks, it is closed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ops_pipelines.core.verdict import Passed, Verdict
from ops_pipelines.llmops.passages import Passage

INPUT, CONTEXT, OUTPUT = "input", "context", "output"
"""The places of a guardrail: the question, the passages that were found for it, the answer."""
PLACES = (INPUT, CONTEXT, OUTPUT)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question with what was found for it and what was answered, as far as it has come.

    `instructions` is what the model was told beside them, which is not for the one who asks.
    """

    question: str
    passages: tuple[Passage, ...] = ()
    answer: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the rules of one place say: whether it may go on, and each rule's own word, of those that only warn, too.

    `dropped` are the passages that a rule took away; the exchange may go on without them.
    """

    verdict: Verdict
    findings: Mapping[str, Verdict] = field(default_factory=dict)
    dropped: tuple[Passage, ...] = ()

    def kept(self, passages: Iterable[Passage]) -> tuple[Passage, ...]:
        """The passages that no rule took away, in their order."""
        return tuple(passage for passage in passages if passage not in self.dropped)


class Unguarded:
    """The Guards of a system without guardrails."""

    refusal = "This cannot be answered."

    def judge(self, where: str, exchange: Exchange) -> Guarded:  # noqa: ARG002
        """Passed."""
        return Guarded(Passed())


class Guards(Protocol):
    """The guardrails of a system."""

    @property
    def refusal(self) -> str:
        """What a caller is told in place of an answer that may not go out."""

    def judge(self, where: str, exchange: Exchange) -> Guarded:
        """What the rules of a place say of an exchange; Passed where the place has no rule. It never raises."""
