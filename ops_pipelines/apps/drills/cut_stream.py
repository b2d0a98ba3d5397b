"""D22: a stream that was cut in its middle counts as an answer, and so do an error and nothing at all with a status of 200.

A loop that adds up what a stream brings ends when the stream does, whatever ended it. A proxy that gives up closes the
connection properly, so not even the client library has anything to complain about.
"""

import asyncio
from pathlib import Path
from typing import Any

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.llmops.chat_model import ChatError, ChatRequest, Message
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.llmops.retry_budget import RetryBudget
from ops_pipelines.testing import provider_script as does
from ops_pipelines.testing.provider import Provider, provider_running
from ops_pipelines.testing.provider_script import Fault, ProviderScript, Reply, Stage

WHOLE = (
    "Delete nothing yet: first read the report of the last week, then ask the owner of the lake, and only then decide."
)
STAGES = (Stage(replies=(Reply("partition", WHOLE),)),)
FAULTS = (does.ENDED_EARLY, does.ERROR_INSIDE, does.EMPTY)
"""A cut stream, an error inside a 200, and an empty 200."""
ASKED = ChatRequest("desk-4", (Message("user", "May I delete the partition?"),))
ONCE, WITHIN = RetryBudget(attempts=1), RetryBudget(attempts=3, first_wait_seconds=0.01, longest_wait_seconds=0.05)


def unguarded(folder: Path) -> Outcome:  # noqa: ARG001  (it needs no files)
    """The loop of every quickstart: append each piece, and show what there is at the end."""
    with provider_running() as provider:
        shown = {fault: asyncio.run(_plain(provider, fault)) for fault in FAULTS}
    cut = shown[does.ENDED_EARLY]
    return Outcome(
        harmed=bool(cut) and WHOLE.startswith(cut) and cut != WHOLE and all(text != WHOLE for text in shown.values()),
        caught=False,
        reason=f"shown as whole answers: {', '.join(repr(text) for text in shown.values())}",
        evidence={"shown": shown},
    )


def guarded(folder: Path) -> Outcome:  # noqa: ARG001
    """Our adapter: each is a failure of its kind, and is asked again within the budget."""
    with provider_running() as provider:
        failures = {
            (fault, stream): asyncio.run(_failure(provider, fault, stream)) for fault in FAULTS for stream in _BOTH
        }
        retried = [asyncio.run(_retried(provider, fault, stream)) for fault in FAULTS for stream in _BOTH]
    kinds = {f"{fault}, {'streamed' if stream else 'whole'}": error.kind for (fault, stream), error in failures.items()}
    return Outcome(
        harmed=not all(text == WHOLE and attempts == 2 for text, attempts in retried),
        caught=all(error.is_passing for error in failures.values()),
        reason=str(failures[does.ENDED_EARLY, True]),
        evidence={"kinds": kinds, "answers after one more attempt": len(retried)},
    )


DRILL = Drill(
    number="D22",
    name="cut stream",
    incident="an answer that was cut, an error inside a 200 and an empty 200 count as successes",
    source="reports to client libraries of streams that end without their end",
    names="stopped before its answer ended",
    unguarded=unguarded,
    guarded=guarded,
)

_BOTH = (False, True)


async def _plain(provider: Provider, fault: str) -> str:
    import openai

    provider.begin(ProviderScript(stages=STAGES, faults=(Fault(fault),)))
    messages: Any = [{"role": message.role, "content": message.content} for message in ASKED.messages]
    text = ""
    async with openai.AsyncOpenAI(api_key="none", base_url=provider.base_url) as client:
        async for chunk in await client.chat.completions.create(model=ASKED.model, messages=messages, stream=True):
            text += chunk.choices[0].delta.content or ""
    return text


async def _failure(provider: Provider, fault: str, stream: bool) -> ChatError:
    """What one attempt came to; an answer would be the harm, and breaks the drill."""
    try:
        text, _ = await _asked(provider, fault, stream, ONCE)
    except ChatError as error:
        return error
    raise AssertionError(f"{fault} was taken for an answer: {text!r}")


async def _retried(provider: Provider, fault: str, stream: bool) -> tuple[str, int]:
    return await _asked(provider, fault, stream, WITHIN)


async def _asked(provider: Provider, fault: str, stream: bool, budget: RetryBudget) -> tuple[str, int]:
    """The answer, and how often it was asked for."""
    from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat
    from ops_pipelines.adapters.retrying_chat import RetryingChat

    provider.begin(ProviderScript(stages=STAGES, faults=(Fault(fault),)))
    chat = OpenAIChat(ProviderPin("openai", ASKED.model), Endpoint(provider.base_url, stream=stream))
    answer = await RetryingChat(chat, budget).complete(ASKED)
    return answer.text, provider.count()
