"""The door for pydantic-ai: a model plans, with an agent's tools as its tools, inside a session.

    def program(session):
        return planned(session, "The loss of flight_delay rose. What now?", instructions=..., tools=known, model=chat)

Each request to the model is a step with its tokens and its cost, and each call of a tool goes through the session's gate,
which says no in words that the model can read. A replay asks no provider and needs none. A call that waits for a person
ends the run of pydantic-ai, and the resumed one comes to the same call by what is recorded; pydantic-ai's own approvals,
which bind no arguments and can be used twice, are not used at all.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.chat_models import endpoint_of
from ops_pipelines.adapters.genai_prices import GenAIPrices
from ops_pipelines.agentops.recording import Outcome, StepFailed
from ops_pipelines.agentops.session import Session
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.core.errors import ConfigError, OpsError
from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.cost import DeclaredPrices, nanos
from ops_pipelines.llmops.provider_pin import ProviderPin

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    Opened = Callable[[], AbstractAsyncContextManager[Model]]

_SHOWN = ("part_kind", "content", "tool_name", "tool_call_id", "args", "text")
"""What a part of a message says: the rest are instants and ids of its own, which are others in every run."""


class PlanFailed(OpsError):
    """The model's plan came to nothing: it could not be asked, asked for too much, or answered what is no answer."""


@dataclass(frozen=True, slots=True)
class Chat:
    """The model that plans. `opened` makes it where it is really asked; without it, the environment says where it answers.

    `prices` are declared ones, for what no price list knows. One run makes at most `most_requests`.
    """

    pin: ProviderPin
    opened: "Opened | None" = None
    prices: DeclaredPrices = field(default_factory=DeclaredPrices)
    most_requests: int = 20
    attempt_seconds: float = 60.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its steps, and of its price in the agent's budgets."""
        return f"{self.pin.provider}/{self.pin.model}"


def planned(session: Session, asked: str, *, instructions: str, tools: Iterable[Tool], chat: Chat) -> str:
    """What the model says in the end, having used the tools; not inside an event loop.

    PlanFailed where it cannot be asked, goes beyond its requests, or answers what is no answer.
    """
    return asyncio.run(planned_async(session, asked, instructions=instructions, tools=tools, chat=chat))


async def planned_async(session: Session, asked: str, *, instructions: str, tools: Iterable[Tool], chat: Chat) -> str:
    """The same for a program that awaits."""
    from pydantic_ai import Agent
    from pydantic_ai.exceptions import AgentRunError
    from pydantic_ai.usage import UsageLimits

    async with AsyncExitStack() as stack:
        agent: Agent[object, str] = Agent(
            _recorded(session, chat, stack),
            instructions=instructions,
            tools=[_tool(session, tool) for tool in tools],
            model_settings=dict(chat.settings) or None,  # type: ignore[arg-type]
            retries=2,
        )
        try:
            found = await agent.run(asked, usage_limits=UsageLimits(request_limit=chat.most_requests))
        except (StepFailed, AgentRunError) as error:
            raise PlanFailed(
                f"{chat.name} has not planned to the end: {error}",
                expected=f"an answer within {chat.most_requests} requests",
                action="Look at the run's last model steps with `ops agent show`",
            ) from error
        return found.output


def _tool(session: Session, tool: Tool) -> Any:
    """A tool whose arguments the gate judges, and nobody before it."""
    import pydantic_ai

    async def call(**arguments: Any) -> Any:
        # Not in a thread: calls that are made at once are asked one after the other, in the order of the model's words.
        return session.tool(tool.name, **arguments).to_json()

    return pydantic_ai.Tool.from_schema(call, tool.name, tool.description, dict(tool.schema), sequential=True)


def _recorded(session: Session, chat: Chat, stack: AsyncExitStack) -> "Model":
    """A model of pydantic-ai whose answers are steps of a session; the real one is opened with the first that is asked."""
    from pydantic_ai.models import Model

    class Recorded(Model):
        def __init__(self) -> None:
            super().__init__()
            self._real: list[Model] = []

        @property
        def model_name(self) -> str:
            return chat.pin.model

        @property
        def system(self) -> str:
            return chat.pin.provider

        async def request(
            self,
            messages: "list[ModelMessage]",
            model_settings: "ModelSettings | None",
            model_request_parameters: "ModelRequestParameters",
        ) -> "ModelResponse":
            async def ask(asked: dict[str, Any]) -> Outcome:
                if not self._real:
                    self._real.append(await stack.enter_async_context((chat.opened or _of_environment(chat))()))
                said, settings = (messages, model_settings) if asked is request else _edited(asked, request)
                return _outcome(chat, await self._real[0].request(said, settings, model_request_parameters))

            request = _request(chat, messages, model_request_parameters, dict(model_settings or {}))
            return _read(await session.model_async(chat.name, request, ask))

    return Recorded()


def _request(
    chat: Chat, messages: "Sequence[ModelMessage]", parameters: "ModelRequestParameters", settings: dict[str, Any]
) -> dict[str, Any]:
    """What is asked, as a step keeps it: the same whenever the same is asked."""
    known = [[tool.name, tool.description, tool.parameters_json_schema] for tool in parameters.function_tools]
    said = [_message(message) for message in _plain(messages)]
    return {"model": chat.pin.model, "messages": said, "tools": known, "settings": settings}


def _edited(asked: Any, request: dict[str, Any]) -> "tuple[list[ModelMessage], ModelSettings]":
    """The messages and the settings of a request that somebody edited, which was asked otherwise in a run."""
    from pydantic import ValidationError
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    if not isinstance(asked, dict) or any(asked.get(name) != request[name] for name in ("model", "tools")):
        raise ConfigError(
            "Of a request to a model, its messages and its settings can be edited",
            expected="the request of the step, with another text in its messages or another setting",
            action="Leave its model and its tools as they are; another model is another release",
        )
    try:
        return ModelMessagesTypeAdapter.validate_python(asked.get("messages")), asked.get("settings") or {}
    except ValidationError as error:
        raise ConfigError(
            f"The edited request has no messages that can be sent: {error.errors()[0]['msg']}",
            expected="the messages of the step, each with its kind and its parts",
            action="Edit a text in them, as in --set messages.0.parts.0.content=...",
        ) from error


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    parts = [{name: part[name] for name in _SHOWN if part.get(name) is not None} for part in message["parts"]]
    instructions = {"instructions": message["instructions"]} if message.get("instructions") else {}
    return {"kind": message["kind"], "parts": parts, **instructions}


def _plain(messages: "Sequence[ModelMessage]") -> list[dict[str, Any]]:
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    found: list[dict[str, Any]] = json.loads(ModelMessagesTypeAdapter.dump_json(list(messages)))
    return found


def _outcome(chat: Chat, came: "ModelResponse") -> Outcome:
    usage = came.usage
    counted = Usage(usage.input_tokens, usage.output_tokens)
    usd = GenAIPrices(chat.prices).usd(chat.pin.provider, came.model_name or chat.pin.model, counted, came.timestamp)
    tokens = counted.input_tokens + counted.output_tokens
    return Outcome(_plain([came])[0], tokens=tokens, nanos=None if usd is None else nanos(usd))


def _read(value: Any) -> "ModelResponse":
    from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse

    (found,) = ModelMessagesTypeAdapter.validate_python([value])
    assert isinstance(found, ModelResponse)
    return found


def _of_environment(chat: Chat) -> "Opened":
    @asynccontextmanager
    async def opened() -> "AsyncIterator[Model]":
        import openai
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        endpoint = endpoint_of(chat.pin, os.environ, attempt_seconds=chat.attempt_seconds)
        # One request is one attempt: a second one that nobody sees could not be paid for.
        async with openai.AsyncOpenAI(
            api_key=endpoint.api_key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=endpoint.attempt_seconds,
        ) as client:
            yield OpenAIChatModel(chat.pin.model, provider=OpenAIProvider(openai_client=client))

    return opened
