"""The fake of `llmops.chat_model.ChatModel`, and the conformance suites that the fake and every adapter run.

A team that writes a provider of its own subclasses the suite, names its model, and gives it a fixture named `chat`:

    class TestOurs(ChatModelConformance):
        model = "ours-1"

        @pytest.fixture
        def chat(self):
            return Ours(...)

One that can be made to fail runs FailingChatModelConformance, too.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ops_pipelines.llmops import chat_model as kinds
from ops_pipelines.llmops.chat_model import ChatError, ChatModel, ChatRequest, Completion, Message, Usage
from ops_pipelines.llmops.passages import Passage, render_passages
from ops_pipelines.llmops.provider_pin import ProviderPin, check_answer
from ops_pipelines.testing import provider_script as does
from ops_pipelines.testing.provider_script import Fault, ProviderScript
from ops_pipelines.testing.provider_voice import speak

KIND_OF_FAULT = {
    does.CUT: kinds.CUT,
    does.ENDED_EARLY: kinds.CUT,
    does.EMPTY: kinds.EMPTY,
    does.NO_TEXT: kinds.EMPTY,
    does.ERROR_INSIDE: kinds.UNAVAILABLE,
    does.NOT_JSON: kinds.INVALID,
    does.HANG: kinds.TIMEOUT,
    does.WRONG_MODEL: kinds.WRONG_MODEL,
    does.FILTERED: kinds.REFUSED,
}
"""What each fault of a script is to the one who asks; a status is by its number."""
KIND_OF_STATUS = {
    400: kinds.INVALID,
    401: kinds.REFUSED,
    404: kinds.INVALID,
    408: kinds.TIMEOUT,
    429: kinds.RATE_LIMITED,
}


class ScriptedChat:
    """A ChatModel that does what a provider's script says, in this process and at once; it never asks again by itself."""

    def __init__(self, pin: ProviderPin, script: ProviderScript | None = None) -> None:
        self.pin, self.script = pin, script or ProviderScript()
        self.requests: list[ChatRequest] = []
        """What was asked, in its order."""
        self._faults = [fault for fault in self.script.faults for _ in range(fault.times)]

    @property
    def provider(self) -> str:
        return self.pin.provider

    async def complete(self, request: ChatRequest) -> Completion:
        if request.model != self.pin.model or not request.messages:
            raise _failure(kinds.INVALID, self.provider)
        number, fault = len(self.requests), self._next_fault(request)
        self.requests.append(request)
        kind = _kind_of(fault) if fault else None
        if kind and kind != kinds.WRONG_MODEL:
            raise _failure(kind, self.provider, free=fault is not None and fault.kind == does.STATUS)
        stage = self.script.stage(number)
        spoken = await speak(request, stage, number)
        usage = Usage(spoken.usage["prompt_tokens"], spoken.usage["completion_tokens"])
        model = f"{spoken.model}-mini" if kind else spoken.model
        answer = Completion(spoken.text, model, usage, spoken.finish, stage.latency_ms, spoken.id, spoken.fingerprint)
        estimated = fault is not None and fault.kind == does.NO_USAGE
        return check_answer(self.pin, replace(answer, usage=replace(usage, is_estimate=estimated)))

    def _next_fault(self, request: ChatRequest) -> Fault | None:
        spoken = "\n".join(message.content for message in request.messages)
        found = next((fault for fault in self._faults if fault.contains in spoken), None)
        if found:
            self._faults.remove(found)
        return found


def question(model: str, number: int = 1, **parameters: object) -> ChatRequest:
    """A request whose context says which colour the door of this number has, and that asks for it."""
    passages = [
        Passage("doors.md", str(each), f"The door number {each} is painted colour{each}.") for each in (number, 99)
    ]
    return ChatRequest(
        model,
        (
            Message("system", "Answer from the context in one sentence, and cite it."),
            Message("user", f"{render_passages(passages)}\n\nQuestion: What colour is door number {number} painted?"),
        ),
        parameters,
    )


class ChatModelConformance:
    """What every ChatModel guarantees, as tests of the fixture `chat`, which answers from its context."""

    model = ""

    def test_answers_whole_and_says_who_answered(self, chat: ChatModel) -> None:
        answer = asyncio.run(chat.complete(question(self.model)))
        assert "colour1" in answer.text
        assert answer.model
        assert answer.finish in ("stop", "length")
        assert answer.latency_ms >= 0
        assert min(answer.usage.input_tokens, answer.usage.output_tokens) > 0
        assert chat.provider

    def test_requests_under_way_together_get_their_own_answers(self, chat: ChatModel) -> None:
        async def ask() -> list[Completion]:
            return await asyncio.gather(*(chat.complete(question(self.model, number)) for number in range(1, 21)))

        for number, answer in enumerate(asyncio.run(ask()), start=1):
            assert f"colour{number}" in answer.text.split(".")[0].split()

    def test_event_loops_may_follow_each_other_and_run_beside_each_other(self, chat: ChatModel) -> None:
        def ask(number: int) -> str:
            return asyncio.run(chat.complete(question(self.model, number))).text

        with ThreadPoolExecutor(3) as pool:
            texts = [ask(1), *pool.map(ask, range(2, 8))]
        assert [f"colour{number}" in text for number, text in enumerate(texts, start=1)] == [True] * 7

    def test_another_model_than_its_own_is_refused(self, chat: ChatModel) -> None:
        with pytest.raises(ChatError) as told:
            asyncio.run(chat.complete(question("nobody-9")))
        assert told.value.kind in (kinds.INVALID, kinds.WRONG_MODEL)
        assert not told.value.is_passing

    def test_a_request_without_messages_is_invalid(self, chat: ChatModel) -> None:
        with pytest.raises(ChatError) as told:
            asyncio.run(chat.complete(ChatRequest(self.model, ())))
        assert told.value.kind == kinds.INVALID

    def test_a_limit_of_tokens_is_kept(self, chat: ChatModel) -> None:
        answer = asyncio.run(chat.complete(question(self.model, max_tokens=9)))
        assert answer.usage.output_tokens <= 9

    def test_a_request_that_is_given_up_leaves_the_next_one_alone(self, chat: ChatModel) -> None:
        async def ask() -> Completion:
            given_up = asyncio.ensure_future(chat.complete(question(self.model)))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            return await chat.complete(question(self.model, 2))

        assert "colour2" in asyncio.run(ask()).text


class FailingChatModelConformance:
    """How every ChatModel fails, as tests of the fixture `failing`: a fault gives the ChatModel that meets it each time."""

    model = ""

    @pytest.mark.parametrize("fault", KIND_OF_FAULT)
    def test_half_an_answer_and_a_false_one_are_failures_of_their_kind(
        self, failing: Callable[[Fault], ChatModel], fault: str
    ) -> None:
        with pytest.raises(ChatError) as told:
            asyncio.run(failing(Fault(fault, times=9)).complete(question(self.model)))
        assert told.value.kind == KIND_OF_FAULT[fault]
        assert not told.value.is_free

    @pytest.mark.parametrize("status", [*KIND_OF_STATUS, 500, 503])
    def test_a_status_is_a_failure_of_its_kind(self, failing: Callable[[Fault], ChatModel], status: int) -> None:
        with pytest.raises(ChatError) as told:
            asyncio.run(failing(Fault(does.STATUS, status=status, times=9)).complete(question(self.model)))
        assert told.value.kind == KIND_OF_STATUS.get(status, kinds.UNAVAILABLE)
        assert told.value.is_free

    def test_tokens_that_nobody_counted_are_an_estimate(self, failing: Callable[[Fault], ChatModel]) -> None:
        answer = asyncio.run(failing(Fault(does.NO_USAGE, times=9)).complete(question(self.model)))
        assert answer.usage.is_estimate


def _kind_of(fault: Fault) -> str | None:
    if fault.kind == does.STATUS:
        return KIND_OF_STATUS.get(fault.status, kinds.UNAVAILABLE)
    return KIND_OF_FAULT.get(fault.kind)


def _failure(kind: str, provider: str, *, free: bool = False) -> ChatError:
    return ChatError(
        f"The scripted provider fails: {kind}",
        expected="an answer",
        action="Script another",
        kind=kind,
        provider=provider,
        free=free,
    )
