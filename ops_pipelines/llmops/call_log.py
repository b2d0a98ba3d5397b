"""The ledger: each call of a chat model, whose it was, who answered, what it took and what it cost.

What a CallLog guarantees (`ops_pipelines.testing.call_log` checks it): what was kept comes back unchanged, in the order in
which it was kept; keeping an id again changes nothing; a kept call survives the death of its process.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from ops_pipelines.core.clock import Window
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.chat_model import Usage

ANSWERED = "answered"
"""The outcome of a call that was answered; any other is the kind of its ChatError, or ABANDONED."""
ABANDONED = "abandoned"
"""The outcome of a call whose caller gave up."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `request` is the digest of what was asked, `text` what was answered, empty where nothing was.

    `model` was asked for and `answered_by` answered. `usage` and `usd` are None where nobody knows them. `facts` is what
    the caller wants kept beside it, as plain JSON: the question, the chunks that were retrieved, what a guardrail said.
    """

    id: str
    caller: Caller
    provider: str
    model: str
    answered_by: str
    request: str
    called_at: datetime
    outcome: str
    usage: Usage | None
    usd: Decimal | None
    latency_ms: float
    finish: str = ""
    text: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class CallLog(Protocol):
    """Where calls are kept."""

    def keep(self, calls: Sequence[Call]) -> None:
        """Append calls, all or none; DataError for one that holds what JSON cannot."""

    def calls(self, window: Window, system: str | None = None) -> Iterator[Call]:
        """The calls whose `called_at` lies in a window, of one system or of all, in the order in which they were kept."""

    def find(self, id: str) -> Call | None:
        """The call of an id; None where there is none."""

    def forget(self, ids: Collection[str]) -> int:
        """Remove the calls of some ids; how many were there."""
