"""The fake of `llmops.answering.Answerer`: it answers by a script, and counts what it was asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.answering import Answer, Prepared
from ops_pipelines.llmops.chat_model import ChatRequest, Message, Usage
from ops_pipelines.llmops.passages import Passage, render_passages


@dataclass
class ScriptedAnswerer:
    """An Answerer that says what `answers` has for a question, and `otherwise` for any other one.

    An answer may be a text, an error that is raised, or several of either, one after the other and the last for ever.
    `found` are the passages of each question. Questions in `refused` are refused by a guardrail, and nobody is asked.
    `seconds` is how long a model takes. `id` changes with what it says, as that of a release does.
    """

    answers: Mapping[str, "str | Exception | Sequence[str | Exception]"] = field(default_factory=dict)
    otherwise: str = "Nothing is known of this."
    found: Mapping[str, Sequence[Passage]] = field(default_factory=dict)
    refused: Sequence[str] = ()
    broken: Mapping[str, Exception] = field(default_factory=dict)
    seconds: float = 0.0
    usd: Decimal | None = Decimal("0.001")
    latency_ms: float = 100.0
    response_schema: Mapping[str, object] | None = None
    asked: list[str] = field(default_factory=list)
    """The questions for which a model was asked, in their order."""
    at_once: int = 0
    most_at_once: int = 0

    @property
    def id(self) -> str:
        said = {question: repr(answer) for question, answer in self.answers.items()}
        return digest_json([said, self.otherwise, list(self.refused)])

    def prepare(self, question: str, *, also: Sequence[Passage] = ()) -> Prepared:
        if question in self.broken:
            raise self.broken[question]
        passages = (*self.found.get(question, ()), *also)
        text = f"{render_passages(passages)}\n\nQuestion: {question}"
        request = ChatRequest("scripted-1", (Message("user", text),), response_schema=self.response_schema)
        asked = None if question in self.refused else request
        return Prepared(question, passages, asked, digest_json([self.id, request.digest]))

    async def answer(self, prepared: Prepared) -> Answer:
        number = len(self.asked)
        if prepared.request is None:
            return Answer(f"a{number}", "This cannot be answered.", prepared.passages, ("a rule of the script",))
        self.asked.append(prepared.question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        said = self._said(prepared.question)
        try:
            await asyncio.sleep(self.seconds)
            text = _raised(said)
        finally:
            self.at_once -= 1
        return Answer(
            id=f"a{number}",
            text=text,
            passages=prepared.passages,
            said=text,
            provider="scripted",
            model="scripted-1",
            usage=Usage(100, 10),
            usd=self.usd,
            latency_ms=self.latency_ms,
        )

    def _said(self, question: str) -> str | Exception:
        answer = self.answers.get(question, self.otherwise)
        if isinstance(answer, str | Exception):
            return answer
        return answer[min(self.asked.count(question), len(answer)) - 1]


def _raised(said: str | Exception) -> str:
    if isinstance(said, Exception):
        raise said
    return said
