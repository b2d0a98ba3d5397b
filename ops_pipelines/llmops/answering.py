"""A question becomes an answer: guarded, looked up, rendered, asked, and guarded again.

The door for applications and the evaluation ask the same code, so that what was evaluated is what people get.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.verdict import Passed, Verdict, reasons_of, verdict_from_json, verdict_to_json
from ops_pipelines.llmops.chat_model import ChatRequest, Completion, Usage
from ops_pipelines.llmops.guardrail import CONTEXT, INPUT, OUTPUT, Exchange, Guarded, Guards
from ops_pipelines.llmops.passages import Passage, render_passages
from ops_pipelines.llmops.recipe import Recipe
from ops_pipelines.llmops.response_schema import judge_answer

FORM = "form"
"""The name of the finding that an answer is not what its response schema asks for."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question as far as no model is needed: what was found for it, and what will be asked.

    `request` is None where nothing is asked: guardrails refuse the question or what was found, or nothing was found, and
    `refused_by` says why. `key` is the digest of all that decides the answer: what is asked, of whom, and what guards it.
    """

    question: str
    passages: tuple[Passage, ...]
    request: ChatRequest | None
    key: str
    findings: Mapping[str, Verdict] = field(default_factory=dict)
    refused_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: `text`, with the passages that it was answered from.

    `refused_by` holds the reasons of guardrails that stopped the question or the answer, and then `text` is their refusal.
    `said` is what the model had answered, whatever became of it; empty where none was asked. `usage` and `usd` are None
    where nobody knows them; an answer for which no model was asked has cost nothing. `calls` are the ledger's ids, and
    `fingerprint` is the provider's own name for its configuration, where it has one.
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
    calls: tuple[str, ...] = ()
    fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON, read back by `from_json`."""
        as_they_are = ("id", "text", "said", "provider", "model", "latency_ms", "fingerprint")
        return {
            **{name: getattr(self, name) for name in as_they_are},
            "passages": [[one.document, one.chunk, one.text] for one in self.passages],
            "refused_by": list(self.refused_by),
            "usage": asdict(self.usage) if self.usage else None,
            "usd": None if self.usd is None else f"{self.usd:f}",
            "findings": {name: verdict_to_json(found) for name, found in self.findings.items()},
            "calls": list(self.calls),
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
            "calls": tuple(record.get("calls", ())),  # rows from before it was written
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


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole answer, who gave it, what all attempts cost (None where nobody knows), and the ledger's ids of them."""

    completion: Completion
    provider: str
    usd: Decimal | None
    calls: tuple[str, ...] = ()


Ask: TypeAlias = Callable[[ChatRequest], Awaitable[Asked]]
"""Asks whoever answers, on behalf of a caller; ChatError or BudgetSpent where nobody does."""


@dataclass(frozen=True, slots=True)
class Answering:
    """The Answerer of a recipe. `id` is its release, `look_up` finds passages, `ask` asks, and `new_id` names each answer.

    What the guardrails of a place refuse goes no further, and costs nothing that comes after that place. `guarded_by` is the
    version of their code, which decides an answer as their policy does.
    """

    id: str
    recipe: Recipe
    guards: Guards
    ask: Ask
    new_id: Callable[[], str]
    look_up: Callable[[str], Sequence[Passage]] = lambda _question: ()
    guarded_by: str = ""

    def prepare(self, question: str, *, also: Sequence[Passage] = ()) -> Prepared:
        """What will be asked; nothing where guardrails refuse the question or what was found, or where nothing was found."""
        asked = self.guards.judge(INPUT, Exchange(question))
        if not isinstance(asked.verdict, Passed):
            return self._refused(question, (), asked.findings, reasons_of(asked.verdict))
        found = (*self.look_up(question), *also)
        read = self.guards.judge(CONTEXT, Exchange(question, found))
        findings = {**asked.findings, **read.findings}
        if not isinstance(read.verdict, Passed):
            return self._refused(question, found, findings, reasons_of(read.verdict))
        passages = read.kept(found)
        if self.recipe.found and not passages:
            nothing = f"nothing that may be read was found for it in {self.recipe.found.retrieval.corpus}"
            return self._refused(question, (), findings, (nothing,))
        request = self.recipe.prompt.request(self._values(question, passages))
        return Prepared(question, passages, request, self._key(request.digest), findings)

    async def answer(self, prepared: Prepared) -> Answer:
        """The answer, or a guardrail's refusal in its place; ChatError and BudgetSpent as they come."""
        if prepared.request is None:
            return self._refusal(prepared)
        asked = await self.ask(prepared.request)
        said = asked.completion.text
        judged = self._judged(prepared, said)
        return Answer(
            id=self.new_id(),
            text=said if isinstance(judged.verdict, Passed) else self.guards.refusal,
            passages=prepared.passages,
            refused_by=reasons_of(judged.verdict),
            said=said,
            provider=asked.provider,
            model=asked.completion.model,
            usage=asked.completion.usage,
            usd=asked.usd,
            latency_ms=asked.completion.latency_ms,
            findings={**prepared.findings, **judged.findings},
            calls=asked.calls,
            fingerprint=asked.completion.fingerprint or "",
        )

    def _judged(self, prepared: Prepared, said: str) -> Guarded:
        """What is said of an answer: first whether it has the form that was asked for, and then by the guardrails."""
        schema, read = self.recipe.prompt.response_schema, said
        if schema is not None:
            formed = judge_answer(said, schema)
            if not isinstance(formed, Passed):
                return Guarded(formed, {FORM: formed})
            fields = formed.evidence["answer"]
            read = str(fields.get("answer", said)) if isinstance(fields, Mapping) else said
        told = self.recipe.prompt.fixed_text()
        return self.guards.judge(OUTPUT, Exchange(prepared.question, prepared.passages, read, told))

    def _values(self, question: str, passages: Sequence[Passage]) -> dict[str, str]:
        found = self.recipe.found
        looked_up = {found.retrieval.passages: render_passages(passages)} if found else {}
        return {self.recipe.question: question, **looked_up}

    def _refused(
        self,
        question: str,
        passages: tuple[Passage, ...],
        findings: Mapping[str, Verdict],
        reasons: tuple[str, ...],
    ) -> Prepared:
        key = self._key(digest_json([question, list(reasons)]))
        return Prepared(question, passages, None, key, findings, reasons)

    def _refusal(self, prepared: Prepared) -> Answer:
        return Answer(
            id=self.new_id(),
            text=self.guards.refusal,
            passages=prepared.passages,
            refused_by=prepared.refused_by,
            usage=Usage(0, 0),
            usd=Decimal(0),
            findings=prepared.findings,
        )

    def _key(self, asked: str) -> str:
        recipe = self.recipe
        guards = [recipe.policy.digest, self.guarded_by] if recipe.policy else []
        return digest_json([asked, [pin.id for pin in recipe.providers], guards])
