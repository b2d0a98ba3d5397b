"""Ours: `run_evaluation`, the real chat model with the retries that releases have, the cache in SQLite, and a scorer.

The answerer is as thin as the peers' tasks: the question is all that is asked, without retrieval and guardrails, which
they have not either.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.evaluators.job import Job, Question, main
from ops_pipelines.adapters.chat_models import chat_model_of
from ops_pipelines.adapters.sqlite_evals import SQLiteEvals
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.answering import Answer, Prepared
from ops_pipelines.llmops.chat_model import ChatModel, ChatRequest, Message
from ops_pipelines.llmops.evals.case import ANSWERABLE, Case
from ops_pipelines.llmops.evals.run import run_evaluation
from ops_pipelines.llmops.evals.scorer import Judged, Rule, Score
from ops_pipelines.llmops.passages import Passage
from ops_pipelines.llmops.provider_pin import ProviderPin


class Asked:
    """The Answerer that asks a chat model each question as it stands."""

    def __init__(self, chat: ChatModel, model: str) -> None:
        self.chat, self.model = chat, model
        self.id = digest_json([chat.provider, model])

    def prepare(self, question: str, *, also: Sequence[Passage] = ()) -> Prepared:
        """The question as the one message."""
        request = ChatRequest(self.model, (Message("user", question),))
        return Prepared(question, tuple(also), request, digest_json([self.id, request.digest]))

    async def answer(self, prepared: Prepared) -> Answer:
        """What the model says, as it says it."""
        assert prepared.request is not None
        said = await self.chat.complete(prepared.request)
        return Answer(
            said.id,
            said.text,
            said=said.text,
            provider=self.chat.provider,
            model=said.model,
            usage=said.usage,
            latency_ms=said.latency_ms,
        )


def exactly(judged: Judged) -> Score:
    """1 where the answer is what was expected."""
    right = judged.answer.text == judged.case.says[0]
    return Score(1.0) if right else Score(0.0, "another answer than was expected")


def evaluate(job: Job, cases: Sequence[Question]) -> int:
    """How many answers are what was expected."""
    golden = [Case(case.id, case.text, ANSWERABLE, says=(case.expected,)) for case in cases]
    chat = chat_model_of(ProviderPin("openai", job.model), environ={"OPENAI_BASE_URL": job.base_url})
    cache, scorers = SQLiteEvals(Path(job.folder) / "evaluations.db"), [Rule("exact", "1", exactly)]
    run = asyncio.run(run_evaluation(Asked(chat, job.model), golden, scorers, cache=cache, concurrency=job.concurrency))
    return int(sum(value for values in run.values("exact").values() for value in values))


if __name__ == "__main__":
    main(evaluate)
