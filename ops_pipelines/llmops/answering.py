"""A question becomes an answer: guarded, looked up, rendered, asked, and guarded again.

The door for applications and the evaluation ask the same code, so that what was evaluated is what people get.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from ops_pipelines.core.verdict import Verdict, verdict_from_json, verdict_to_json
from ops_pipelines.llmops.chat_model import ChatRequest, Usage
from ops_pipelines.llmops.passages import Passage


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question as far as no model is needed: what was found for it, and what will be asked.

    `request` is None where guardrails refuse the question: then nothing is asked. `key` is the digest of all that decides
    the answer: what is asked, of whom, and what guards it.
    """

    question: str
    passages: tuple[Passage, ...]
    request: ChatRequest | None
    key: str
    findings: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: `text`, with the passages that it was answered from.

    `refused_by` holds the reasons of guardrails that stopped the question or the answer, and then `text` is their refusal.
    `said` is what the model had answered, whatever became of it; empty where none was asked. `usage` and `usd` are None
    where nobody knows them; an answer for which no model was asked has cost nothing.
    """

    id: str
    text: str
    passages: tuple[Passage, ...] = ()
    refused_by: tuple[str, ...] = ()
    said: str = ""
    provider: str = ""
    model: str = ""
    usage: Usage | None = None
    usd: Decimal | None = None
    latency_ms: float = 0.0
    findings: Mapping[str, Verdict] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON, read back by `from_json`."""
        as_they_are = ("id", "text", "said", "provider", "model", "latency_ms")
        return {
            **{name: getattr(self, name) for name in as_they_are},
            "passages": [[one.document, one.chunk, one.text] for one in self.passages],
            "refused_by": list(self.refused_by),
            "usage": asdict(self.usage) if self.usage else None,
            "usd": None if self.usd is None else f"{self.usd:f}",
            "findings": {name: verdict_to_json(found) for name, found in self.findings.items()},
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Answer":
        """The answer that `to_json` wrote."""
        read = {
            "passages": tuple(Passage(*one) for one in record["passages"]),
            "refused_by": tuple(record["refused_by"]),
            "usage": Usage(**record["usage"]) if record["usage"] else None,
            "usd": None if record["usd"] is None else Decimal(record["usd"]),
            "findings": {name: verdict_from_json(found) for name, found in record["findings"].items()},
        }
        return cls(**{**record, **read})


class Answerer(Protocol):
    """Whatever answers questions: a release, a candidate for one, or a fake."""

    @property
    def id(self) -> str:
        """The digest of everything that decides how it answers."""

    def prepare(self, question: str, *, also: Sequence[Passage] = ()) -> Prepared:
        """What will be asked for a question; `also` are passages beside those that are found (a test's poisoned one)."""

    async def answer(self, prepared: Prepared) -> Answer:
        """The answer; ChatError where no provider gives one, BudgetSpent where a budget has too little left."""
