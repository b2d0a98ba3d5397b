"""What a chat model is asked, what it answers, and how it fails.

What a ChatModel guarantees (`ops_pipelines.testing.chat_model` checks it): it answers or raises a ChatError that says
which kind of failure it was; half an answer, an empty one and one of another model than was pinned are failures; and
several requests may be under way at once, from several event loops one after the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.fingerprint import digest_json

TIMEOUT, RATE_LIMITED, UNAVAILABLE, CUT, EMPTY = "timeout", "rate_limited", "unavailable", "cut", "empty"
REFUSED, WRONG_MODEL, INVALID = "refused", "wrong_model", "invalid"
PASSING = frozenset({TIMEOUT, RATE_LIMITED, UNAVAILABLE, CUT, EMPTY})
"""The kinds of failure that the same request may survive when it is asked again."""
KINDS = PASSING | {REFUSED, WRONG_MODEL, INVALID}


class ChatError(OpsError):
    """A request that was not answered; `facts["kind"]` is one of KINDS, and `facts["provider"]` says whose failure it is."""

    @property
    def kind(self) -> str:
        """Which of KINDS it was."""
        return str(self.facts.get("kind", INVALID))

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered when it is asked again."""
        return self.kind in PASSING

    @property
    def is_free(self) -> bool:
        """Whether nothing was counted: no attempt got further than a connection, or a status that said no."""
        return bool(self.facts.get("free", False))


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a provider is asked; its digest is over all of it."""

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    response_schema: Mapping[str, Any] | None = None

    @property
    def digest(self) -> str:
        """The sha256 of the whole request.

        >>> one = ChatRequest("m", (Message("user", "hello"),))
        >>> one.digest == ChatRequest("m", (Message("user", "hello"),), {"temperature": 0}).digest
        False
        """
        turns = [[message.role, message.content] for message in self.messages]
        return digest_json([self.model, turns, dict(self.parameters), self.response_schema])


@dataclass(frozen=True, slots=True)
class Usage:
    """How many tokens a request took and an answer has; `is_estimate` where nobody who knows has counted them."""

    input_tokens: int
    output_tokens: int
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer.

    `model` is the one that says it answered, empty where the provider does not say. `finish` is the provider's word:
    `stop`, or `length` where the request's own limit of tokens ended the text. `latency_ms` is what the caller waited,
    all attempts and the waits between them included. `fingerprint` is the provider's own name for its configuration.
    """

    text: str
    model: str
    usage: Usage
    finish: str
    latency_ms: float
    id: str = ""
    fingerprint: str | None = None


class ChatModel(Protocol):
    """Whatever answers a conversation."""

    @property
    def provider(self) -> str:
        """The name by which prices and the ledger know who answers."""

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer to a request; ChatError where there is none."""
