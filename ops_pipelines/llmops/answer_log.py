"""What callers were answered: each question with its passages, its answer or why there was none, and the calls it took.

The door keeps an answer before it hands it out. What an AnswerLog guarantees (`ops_pipelines.testing.answer_log` checks
it): what was kept comes back unchanged, in the order in which it was kept; keeping an id again changes nothing; a kept
answer survives the death of its process.
"""

from asyncio import CancelledError
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, short
from ops_pipelines.llmops.answering import Answer
from ops_pipelines.llmops.budget import BudgetSpent, Caller
from ops_pipelines.llmops.call_log import ABANDONED, ANSWERED
from ops_pipelines.llmops.chat_model import KINDS, ChatError

STOPPED = "stopped"
"""The outcome of a question, or of an answer, that a guardrail stopped: its caller got a refusal."""
OVER_BUDGET = "over_budget"
"""The outcome of a question for which a budget had too little left: no model was asked."""
FAILED = "failed"
"""The outcome of whatever else went wrong, such as a corpus that is of another embedder."""
OUTCOMES = frozenset({ANSWERED, STOPPED, OVER_BUDGET, ABANDONED, FAILED}) | KINDS


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with what became of it.

    `answer` is what the caller got; its text is empty where the caller got an error, which then stands in `error`.
    `outcome` is one of OUTCOMES: of a ChatError its kind. `asked_at` is the wall clock's. `calls` are the ids in the
    call log of all calls of models that it took, those that failed included.
    """

    caller: Caller
    environment: str
    question: str
    asked_at: datetime
    outcome: str
    answer: Answer
    calls: tuple[str, ...] = ()
    error: str = ""

    @property
    def id(self) -> str:
        """The answer's id; see `answer_id`."""
        return self.answer.id


class AnswerLog(Protocol):
    """Where answers are kept from the question to their compaction."""

    def keep(self, answers: Sequence[Answered]) -> None:
        """Append answers, all or none; DataError for one that holds what JSON cannot."""

    def answers(self, window: Window, system: str | None = None) -> Iterator[Answered]:
        """The answers whose `asked_at` lies in a window, of one system or of all, in the order in which they were kept."""

    def find(self, id: str) -> Answered | None:
        """The answer of an id; None where it is not, or no longer, in the log."""

    def forget(self, ids: Collection[str]) -> int:
        """Remove the answers of some ids, which the caller has compacted; how many were there."""


def answer_id(system: str, release: str, asked_at: datetime, unique: str) -> str:
    """The id of an answer: it names the system, the day in UTC, and the release by its first digits.

    >>> from datetime import UTC
    >>> answer_id("runbook_answers", "ab" * 32, datetime(2026, 3, 2, 12, tzinfo=UTC), "7f3a")
    'runbook_answers/asked/2026-03-02/7f3a/abababababab'
    """
    return f"{system}/asked/{utc(asked_at):%Y-%m-%d}/{unique}/{short(release)}"


def day_of_answer(id: str) -> tuple[str, str] | None:
    """The system and the day that an id of `answer_id` names; None for any other text.

    >>> day_of_answer("runbook_answers/asked/2026-03-02/7f3a/abababababab")
    ('runbook_answers', '2026-03-02')
    """
    match id.rsplit("/", maxsplit=4):
        case [system, "asked", day, _, _]:
            return system, day
    return None


def written_answer(one: Answered) -> str:
    """What the caller got as canonical JSON; DataError where it, or the question, holds what no log can keep."""
    try:
        canonical_json([one.question, one.error, *one.calls])  # a text may hold half a character
        return canonical_json(one.answer.to_json()).decode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The answer {one.id!r} cannot be kept: {error}",
            expected="texts in Unicode, and numbers, booleans, None, lists and mappings in its findings",
            action="Keep instants as texts in ISO 8601, and what is missing as None",
            answer=one.id,
        ) from error


def outcome_of(error: BaseException) -> str:
    """Which of OUTCOMES an error makes of a question."""
    match error:
        case ChatError():
            return error.kind
        case BudgetSpent():
            return OVER_BUDGET
        case CancelledError() | KeyboardInterrupt():
            return ABANDONED
    return FAILED


def outcome_of_answer(answer: Answer) -> str:
    """Which of OUTCOMES a question has that got an answer: a guardrail's refusal is one of its own."""
    return STOPPED if answer.refused_by else ANSWERED
