import asyncio
from collections.abc import Callable, Iterator

import pytest

from ops_pipelines.adapters.chat_models import chat_model_of, default_pin
from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat
from ops_pipelines.adapters.retrying_chat import RetryingChat
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops import chat_model as kinds
from ops_pipelines.llmops.chat_model import ChatError, ChatModel, Completion
from ops_pipelines.llmops.extractive import MODEL, ExtractiveReader
from ops_pipelines.llmops.provider_pin import REPORT, ProviderPin
from ops_pipelines.llmops.retry_budget import RetryBudget
from ops_pipelines.testing import provider_script as does
from ops_pipelines.testing.chat_model import (
    ChatModelConformance,
    FailingChatModelConformance,
    ScriptedChat,
    question,
)
from ops_pipelines.testing.provider import Provider, provider_running
from ops_pipelines.testing.provider_script import Fault, ProviderScript, Reply, Stage

DESK = ProviderPin("openai", "desk-1")
QUICK = RetryBudget(attempts=3, seconds=20, first_wait_seconds=0.001, longest_wait_seconds=0.01)
ONCE = RetryBudget(attempts=1)


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with provider_running() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.begin(ProviderScript())
    return running


@pytest.fixture(params=["whole", "streamed"])
def stream(request) -> bool:
    return request.param == "streamed"


def asked(
    provider: Provider, budget: RetryBudget = QUICK, *, stream: bool = False, pin: ProviderPin = DESK
) -> ChatModel:
    return RetryingChat(OpenAIChat(pin, Endpoint(provider.base_url, stream=stream, attempt_seconds=30)), budget)


def answer_of(chat: ChatModel, **parameters: object) -> Completion:
    return asyncio.run(chat.complete(question("desk-1", **parameters)))


class TestExtractiveReader(ChatModelConformance):
    model = MODEL

    @pytest.fixture
    def chat(self) -> ChatModel:
        return ExtractiveReader()


class TestPinnedReader(ChatModelConformance):
    model = MODEL

    @pytest.fixture
    def chat(self) -> ChatModel:
        return chat_model_of(default_pin({}))


class TestScriptedChat(ChatModelConformance, FailingChatModelConformance):
    model = "desk-1"

    @pytest.fixture
    def chat(self) -> ChatModel:
        return ScriptedChat(DESK)

    @pytest.fixture
    def failing(self) -> Callable[[Fault], ChatModel]:
        return lambda fault: ScriptedChat(DESK, ProviderScript(faults=(fault,)))


class TestOpenAIChat(ChatModelConformance, FailingChatModelConformance):
    model = "desk-1"

    @pytest.fixture
    def chat(self, provider: Provider, stream: bool) -> ChatModel:
        return RetryingChat(OpenAIChat(DESK, Endpoint(provider.base_url, stream=stream)), QUICK)

    @pytest.fixture
    def failing(self, provider: Provider) -> Callable[[Fault], ChatModel]:
        def made(fault: Fault) -> ChatModel:
            provider.begin(ProviderScript(faults=(fault,)))
            seconds = 0.5 if fault.kind == does.HANG else 30
            return OpenAIChat(DESK, Endpoint(provider.base_url, attempt_seconds=seconds))

        return made


@pytest.mark.parametrize("fault", [does.CUT, does.ENDED_EARLY, does.EMPTY, does.NO_TEXT, does.ERROR_INSIDE])
def test_a_stream_that_did_not_end_is_never_an_answer(provider, fault):
    provider.begin(ProviderScript(faults=(Fault(fault),)))
    with pytest.raises(ChatError) as told:
        answer_of(asked(provider, ONCE, stream=True))
    assert told.value.is_passing


@pytest.mark.parametrize("fault", [does.CUT, does.EMPTY, does.ERROR_INSIDE, does.STATUS])
def test_what_may_pass_is_asked_again_within_the_budget(provider, fault, stream):
    provider.begin(ProviderScript(faults=(Fault(fault, status=503, times=2),)))
    assert "colour1" in answer_of(asked(provider, stream=stream)).text
    assert provider.count() == 3


def test_the_last_attempt_of_a_budget_is_the_last_and_its_failure_is_told(provider):
    provider.begin(ProviderScript(faults=(Fault(does.STATUS, status=500, times=9),)))
    with pytest.raises(ChatError, match="answered 500") as told:
        answer_of(asked(provider))
    assert (told.value.facts["attempts"], provider.count()) == (3, 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_will_be_refused_again_is_asked_once(provider, status):
    provider.begin(ProviderScript(faults=(Fault(does.STATUS, status=status, times=9),)))
    with pytest.raises(ChatError):
        answer_of(asked(provider))
    assert provider.count() == 1


def test_a_wait_that_the_provider_asks_for_is_kept(provider):
    provider.begin(ProviderScript(faults=(Fault(does.STATUS, status=429, retry_after=0.25),)))
    assert answer_of(asked(provider)).latency_ms >= 250


def test_a_wait_that_does_not_fit_into_the_budget_is_not_begun(provider):
    provider.begin(ProviderScript(faults=(Fault(does.STATUS, status=429, retry_after=3600),)))
    with pytest.raises(ChatError) as told:
        answer_of(asked(provider))
    assert (told.value.kind, told.value.facts["retry_after_seconds"]) == (kinds.RATE_LIMITED, 3600)


def test_an_answer_of_another_model_is_refused_or_kept_by_policy(provider):
    provider.begin(ProviderScript(stages=(Stage(answers_as="desk-1-2026-02-01"),)))
    with pytest.raises(ChatError, match="was answered by 'desk-1-2026-02-01'") as told:
        answer_of(asked(provider))
    assert (told.value.kind, provider.count()) == (kinds.WRONG_MODEL, 1)
    lenient = ProviderPin("openai", "desk-1", moved=REPORT)
    assert answer_of(asked(provider, pin=lenient)).model == "desk-1-2026-02-01"
    resolved = ProviderPin("openai", "desk-1", answers_as="desk-1-2026-02-01")
    assert answer_of(asked(provider, pin=resolved)).model == "desk-1-2026-02-01"


def test_an_upgrade_under_way_is_refused_from_its_first_answer_on(provider):
    provider.begin(ProviderScript(stages=(Stage(), Stage(after=2, answers_as="desk-2"))))
    chat = asked(provider)
    assert [answer_of(chat).model for _ in range(2)] == ["desk-1", "desk-1"]
    with pytest.raises(ChatError, match="desk-2"):
        answer_of(chat)


def test_tokens_are_the_providers_and_a_text_that_reached_its_limit_says_so(provider, stream):
    provider.begin(ProviderScript(stages=(Stage(replies=(Reply("door", "one two three four", 5000),)),)))
    answer = answer_of(asked(provider, stream=stream), max_tokens=2)
    assert (answer.finish, answer.usage.output_tokens, answer.usage.is_estimate) == ("length", 5000, False)


def test_parameters_and_the_schema_arrive_as_they_stand(provider):
    request = question("desk-1", temperature=0.5, top_k=7)
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "additionalProperties": False}
    from dataclasses import replace

    answer = asyncio.run(asked(provider).complete(replace(request, response_schema=schema)))
    (call,) = provider.calls()
    assert (call["body"]["temperature"], call["body"]["top_k"]) == (0.5, 7)
    assert call["body"]["response_format"]["json_schema"] == {"name": "answer", "schema": schema, "strict": True}
    assert answer.text.startswith('{"answer":')


def test_a_parameter_that_would_say_otherwise_than_the_request_is_invalid(provider):
    with pytest.raises(ChatError, match="parameters n, stream"):
        answer_of(asked(provider), n=2, stream=True)


def test_all_attempts_together_take_no_longer_than_the_budget(provider):
    provider.begin(ProviderScript(faults=(Fault(does.HANG, times=9),)))
    with pytest.raises(ChatError, match=r"within 0\.7 s") as told:
        answer_of(asked(provider, RetryBudget(attempts=9, seconds=0.7, first_wait_seconds=0)))
    assert (told.value.kind, told.value.facts["attempts"]) == (kinds.TIMEOUT, 1)


def test_a_key_is_sent_and_a_wrong_one_refused(provider):
    provider.begin(ProviderScript(api_key="right"))
    environ = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "right"}
    assert "colour1" in answer_of(chat_model_of(DESK, environ=environ)).text
    with pytest.raises(ChatError) as told:
        answer_of(chat_model_of(DESK, environ=environ | {"OPENAI_API_KEY": "wrong"}))
    assert told.value.kind == kinds.REFUSED


def test_a_provider_that_is_not_there_is_unavailable():
    chat = RetryingChat(OpenAIChat(DESK, Endpoint("http://127.0.0.1:9/v1")), QUICK)
    with pytest.raises(ChatError, match="cannot be reached") as told:
        answer_of(chat)
    assert (told.value.kind, told.value.facts["attempts"]) == (kinds.UNAVAILABLE, 3)


def test_a_provider_without_an_address_is_a_setting_to_mend():
    with pytest.raises(ConfigError, match="MY_LAB_BASE_URL"):
        chat_model_of(ProviderPin("my-lab", "m"), environ={})


def test_one_variable_takes_the_default_from_the_reader_to_a_provider():
    assert default_pin({}) == ProviderPin("extractive", MODEL)
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_MODEL": "m"}
    assert default_pin(environ) == ProviderPin("openai", "m")
    with pytest.raises(ConfigError, match="OPENAI_MODEL"):
        default_pin({"OPENAI_API_KEY": "k"})


def test_no_key_stands_in_what_is_printed():
    assert "secret" not in repr(Endpoint("http://127.0.0.1:1", "secret"))
