"""D11: an alias such as `gpt-4o` moves to another snapshot, and the release that was evaluated is no longer what answers.

Nothing fails: the request names the same model, and the status is 200. The answer says which model gave it, and nobody
looks.
"""

import asyncio
from pathlib import Path

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.llmops.chat_model import ChatError, ChatRequest, Message
from ops_pipelines.llmops.provider_pin import REPORT, ProviderPin, judge_answer
from ops_pipelines.testing.provider import Provider, provider_running
from ops_pipelines.testing.provider_script import ProviderScript, Reply, Stage

BEFORE, AFTER = "desk-4-2026-01-15", "desk-4-2026-04-20"
SCRIPT = ProviderScript(
    stages=(
        Stage(answers_as=BEFORE, replies=(Reply("refund", "No. Ask a person about refunds."),)),
        Stage(after=3, answers_as=AFTER, replies=(Reply("refund", "Of course, I have refunded you in full."),)),
    )
)
"""A provider that moves the alias after three answers, and answers otherwise from then on."""
ASKED = ChatRequest("desk-4", (Message("user", "May I have a refund?"),))
CALLS = 6


def unguarded(folder: Path) -> Outcome:  # noqa: ARG001  (it needs no files)
    """A client that takes what comes with a status of 200."""
    with provider_running(SCRIPT) as provider:
        texts = asyncio.run(_plain(provider))
    return Outcome(
        harmed="refunded you" in texts[-1],
        caught=False,
        reason=f"{texts.count(texts[-1])} of {CALLS} customers were told: {texts[-1]}",
        evidence={"answers": texts},
    )


def guarded(folder: Path) -> Outcome:  # noqa: ARG001
    """The same alias, pinned to the snapshot that was evaluated: refused by one policy, reported by the other."""
    with provider_running(SCRIPT) as provider:
        kept, refused = asyncio.run(_pinned(provider))
        provider.begin(SCRIPT)
        reported = asyncio.run(_reported(provider))
    harmed = any("refunded you" in text for text in kept) or not all(reported[3:])
    return Outcome(
        harmed=harmed,
        caught=len(kept) == 3 and len(refused) == CALLS - 3 and reported == [False] * 3 + [True] * 3,
        reason=refused[0] if refused else "nothing was refused",
        evidence={"answers": kept, "refused": len(refused), "reported": reported},
    )


DRILL = Drill(
    number="D11",
    name="moved alias",
    incident="a model alias moves to another snapshot, and other answers are given by the same name",
    source="the documentation of providers: names without a date are moved",
    names=f"was answered by '{AFTER}'",
    unguarded=unguarded,
    guarded=guarded,
)


async def _plain(provider: Provider) -> list[str]:
    import openai

    async with openai.AsyncOpenAI(api_key="none", base_url=provider.base_url) as client:
        return [
            str(
                (await client.chat.completions.create(model=ASKED.model, messages=_messages()))
                .choices[0]
                .message.content
            )
            for _ in range(CALLS)
        ]


async def _pinned(provider: Provider) -> tuple[list[str], list[str]]:
    """The answers that were kept, and why the others were refused."""
    from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat

    pin = ProviderPin("openai", ASKED.model, answers_as=BEFORE)
    chat = OpenAIChat(pin, Endpoint(provider.base_url))
    kept, refused = [], []
    for _ in range(CALLS):
        try:
            kept.append((await chat.complete(ASKED)).text)
        except ChatError as error:
            refused.append(str(error))
    return kept, refused


async def _reported(provider: Provider) -> list[bool]:
    """Of each answer whether it was found to be of another model, where the pin's policy keeps such answers."""
    from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat
    from ops_pipelines.core.verdict import Blocked

    pin = ProviderPin("openai", ASKED.model, answers_as=BEFORE, moved=REPORT)
    chat = OpenAIChat(pin, Endpoint(provider.base_url))
    return [isinstance(judge_answer(pin, await chat.complete(ASKED)), Blocked) for _ in range(CALLS)]


def _messages() -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in ASKED.messages]
