"""How many tokens a text has, where nobody who knows has counted them: an estimate, and a bound.

A provider's own tokenizer is not at hand offline, and differs from model to model. Both numbers are named for what they
are, and a Usage made from them says `is_estimate`.
"""

from collections.abc import Iterable
from math import ceil

from ops_pipelines.llmops.chat_model import ChatRequest, Message

TOKENS_PER_MESSAGE = 8
"""What the frame of a message takes at most: its role and the marks around it."""
_CHARACTERS_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: a token for each four characters of English prose, rounded up.

    >>> estimate_tokens("The release went live."), estimate_tokens("")
    (6, 0)
    """
    return ceil(len(text) / _CHARACTERS_PER_TOKEN)


def estimate_input(messages: Iterable[Message]) -> int:
    """About how many tokens a conversation takes."""
    return sum(estimate_tokens(message.content) + TOKENS_PER_MESSAGE for message in messages)


def most_input_tokens(request: ChatRequest) -> int:
    """How many tokens a request takes at most: a token of a byte-level tokenizer holds at least one byte.

    >>> most_input_tokens(ChatRequest("m", (Message("user", "naïve"),)))
    14
    """
    from ops_pipelines.core.fingerprint import canonical_json

    schema = len(canonical_json(request.response_schema)) if request.response_schema else 0
    return schema + sum(len(message.content.encode()) + TOKENS_PER_MESSAGE for message in request.messages)
