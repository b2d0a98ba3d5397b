"""D9: an assistant gets worse in six weeks, and three changes of configuration were made in them.

Less effort was asked for, a cache began to keep the last passages alone, and a line of the prompt asked for brevity. Each was
reviewed and looked harmless. The mean of the last week against that of the first says that something is wrong and not what;
the change that is taken back is the last one, and most of the loss stays.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.llmops.attribution_cells import PARAMETERS, PROMPT, RETRIEVAL, Cell
from ops_pipelines.llmops.chat_model import ChatModel, Message
from ops_pipelines.llmops.extractive import MODEL, PROVIDER, ExtractiveReader
from ops_pipelines.llmops.passages import Passage, render_passages
from ops_pipelines.llmops.prompt import Prompt

SERVICES, A_SERVICE = 40, 3
"""How many services there are, and how many questions about each."""
ASKED = (Message("system", "Answer from the context."), Message("user", "{{ context }}\n\nQuestion: {{ question }}"))
BRIEF = (replace(ASKED[0], content="Answer from the context, in one sentence."), ASKED[1])
WEEK_1 = Prompt(
    "assistant", ASKED, {"context": "text", "question": "text"}, PROVIDER, MODEL, {"max_completion_tokens": 400}
)
WEEK_6 = replace(WEEK_1, messages=BRIEF, parameters={"max_completion_tokens": 24})
KEPT = {"week 1": "all", "week 6": "last two"}
"""How many passages of a conversation the cache gives back."""
WORDS = ("gateway", "ledger", "archive", "beacon", "courier")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a service with its passages, and the facts that a good answer has."""

    id: str
    service: str
    question: str
    passages: tuple[Passage, ...]
    facts: tuple[str, ...]


def unguarded(folder: Path) -> Outcome:  # noqa: ARG001  (it needs no files)
    """The mean before and after, and the last change taken back."""
    before, after = (_mean(frozenset()), _mean(_ALL))
    reverted = _mean(_ALL - {PROMPT})
    return Outcome(
        harmed=after < before - 0.2 and reverted < before - 0.1,
        caught=False,
        reason=f"the score fell from {before:.2f} to {after:.2f}; with the last change taken back it is {reverted:.2f}",
        evidence={"week 1": before, "week 6": after, "prompt taken back": reverted},
    )


def guarded(folder: Path) -> Outcome:  # noqa: ARG001
    """The sources that differ, every mixture of them on the same questions, and the share of each."""
    from ops_pipelines.core.verdict import Blocked, reasons_of
    from ops_pipelines.llmops.attribution import attribute, judge_attribution
    from ops_pipelines.llmops.attribution_cells import cells_of, differing_sources

    sources = differing_sources(_behaviour(WEEK_1, "week 1"), _behaviour(WEEK_6, "week 6"))
    scores = {cell: _scores(cell) for cell in cells_of(sources)}
    found = attribute(scores, {one.id: one.service for one in _questions()})
    verdict = judge_attribution(found)
    return Outcome(
        harmed=set(found.causes) != _ALL,
        caught=isinstance(verdict, Blocked) and len(verdict.reasons) == len(_ALL),
        reason="; ".join(sorted(reasons_of(verdict))),
        evidence={share.source: {"moved": share.effect.difference, "part": share.part} for share in found.shares},
    )


DRILL = Drill(
    number="D9",
    name="three changes",
    incident="three changes of configuration in six weeks lower an assistant's quality, and nobody can say which",
    source="a provider's post-mortem of April 2026: effort, a cache and a line of the prompt",
    names="retrieval moved the score by -",
    unguarded=unguarded,
    guarded=guarded,
)

_ALL = frozenset({PARAMETERS, RETRIEVAL, PROMPT})


def _behaviour(prompt: Prompt, week: str) -> dict[str, str]:
    from ops_pipelines.core.fingerprint import digest_json
    from ops_pipelines.llmops.attribution_cells import prompt_parts

    return {**prompt_parts(prompt), "retriever": digest_json(KEPT[week])}


def _mean(cell: Cell) -> float:
    scores = _scores(cell)
    return sum(scores.values()) / len(scores)


def _scores(cell: Cell) -> dict[str, float]:
    """The share of its facts that the answer to each question has, in a mixture of the two weeks."""
    from ops_pipelines.llmops.attribution_cells import mixed_prompt

    prompt, last = mixed_prompt(WEEK_1, WEEK_6, cell), RETRIEVAL in cell
    return asyncio.run(_asked(ExtractiveReader(), prompt, last_two=last))


async def _asked(chat: ChatModel, prompt: Prompt, *, last_two: bool) -> dict[str, float]:
    scores = {}
    for one in _questions():
        passages = one.passages[-2:] if last_two else one.passages
        answer = await chat.complete(prompt.request({"context": render_passages(passages), "question": one.question}))
        scores[one.id] = sum(fact in answer.text for fact in one.facts) / len(one.facts)
    return scores


def _questions() -> Iterator[Asked]:
    """Each service's three questions, for one and for two of its facts in turn."""
    for number in range(SERVICES):
        service = f"{WORDS[number % len(WORDS)]}{number}"
        facts = _facts(service, number)
        passages = tuple(
            Passage("services", f"{number}.{place}", said) for place, (said, _) in enumerate(facts.values())
        )
        for each in range(A_SERVICE):
            asked = [list(facts)[(each + place) % len(facts)] for place in range(1 + (number + each) % 2)]
            question = f"What is the {' and the '.join(asked)} of {service}?"
            yield Asked(f"{service}/{each}", service, question, passages, tuple(facts[name][1] for name in asked))


def _facts(service: str, number: int) -> Mapping[str, tuple[str, str]]:
    """By what is asked the sentence that says it, some of them long, and the fact in it."""
    detail = ", after the queue of the last hour was drained by hand and its keeper was told" * (number % 2)
    return {
        "owner": (f"The owner of {service} is the team blue{number}.", f"blue{number}"),
        "port": (f"The port of {service} is {8000 + number}.", str(8000 + number)),
        "restart": (f"The restart of {service} is restart-{number}{detail}.", f"restart-{number}"),
    }
