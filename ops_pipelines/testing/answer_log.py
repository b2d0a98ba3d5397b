"""The fake of `llmops.answer_log.AnswerLog`, and the conformance suite that the fake and every adapter run.

A team that writes a log of its own subclasses the suite and gives it a fixture named `log`.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from threading import Lock
from typing import Any

import pytest

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.answer_log import Answered, AnswerLog, written_answer
from ops_pipelines.llmops.answering import Answer
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.call_log import ANSWERED
from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.passages import Passage

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = Window(MONDAY, MONDAY + timedelta(weeks=1))
_MICROSECOND = timedelta(microseconds=1)
_OF_CALLER = ("system", "release", "feature", "tenant")
_OF_QUESTION = ("environment", "question", "outcome", "calls", "error")


class MemoryAnswerLog:
    """An AnswerLog that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: dict[str, Answered] = {}

    def keep(self, answers: Sequence[Answered]) -> None:
        with self._lock:
            for one in [_as_kept(one) for one in answers]:
                self._answers.setdefault(one.id, one)

    def answers(self, window: Window, system: str | None = None) -> Iterator[Answered]:
        with self._lock:
            kept = list(self._answers.values())
        for one in kept:
            if window.start <= one.asked_at < window.end and system in (None, one.caller.system):
                yield one

    def find(self, id: str) -> Answered | None:
        with self._lock:
            return self._answers.get(id)

    def forget(self, ids: Collection[str]) -> int:
        with self._lock:
            return sum(self._answers.pop(id, None) is not None for id in ids)


def answered_of(id: str, *, at: datetime = MONDAY, **changes: Any) -> Answered:
    """What was answered under this id, asked at this instant; `changes` are its fields, its caller's or its answer's."""
    caller = {name: changes.pop(name) for name in _OF_CALLER if name in changes}
    asked = {name: changes.pop(name) for name in _OF_QUESTION if name in changes}
    answer = Answer(
        id=id,
        text="Roll it back [docs/rollback.md#2].",
        passages=(Passage("docs/rollback.md", "2", "To roll back, run `ops rollback SYSTEM`."),),
        said="Roll it back [docs/rollback.md#2].",
        provider="openai",
        model="desk-1",
        usage=Usage(1200, 80),
        usd=Decimal("0.00021"),
        latency_ms=812.5,
        findings={"secrets": Passed({"found": 0})},
    )
    one = Answered(
        caller=replace(Caller("runbook_answers", "ab" * 32, "console", "acme"), **caller),
        environment="production",
        question="What now?",
        asked_at=at,
        outcome=ANSWERED,
        answer=replace(answer, **changes),
        calls=("call-1",),
    )
    return replace(one, **asked)


class AnswerLogConformance:
    """What every AnswerLog guarantees, as tests of the fixture `log`."""

    def test_returns_what_was_kept_unchanged(self, log: AnswerLog) -> None:
        found = {"pii": Blocked(("a telephone number",), {"found": 1}), "grounded": NotEvaluated("nothing was said")}
        one = answered_of(
            "naïve ☂", at=MONDAY + _MICROSECOND, usd=Decimal("1.000000001"), findings=found, refused_by=("a number",)
        )
        log.keep([one])
        assert log.find("naïve ☂") == one
        assert list(log.answers(WEEK)) == [one]

    def test_what_is_unknown_comes_back_unknown_and_what_was_free_as_nothing(self, log: AnswerLog) -> None:
        log.keep([answered_of("a", usage=None, usd=None, outcome="cut", text="", error="half an answer", calls=())])
        log.keep([answered_of("b", usd=Decimal(0), passages=())])
        first, second = log.answers(WEEK)
        assert (first.answer.usage, first.answer.usd, second.answer.usd) == (None, None, Decimal(0))
        assert (first.error, first.calls, second.answer.passages) == ("half an answer", (), ())

    def test_an_instant_comes_back_as_the_same_instant_in_utc(self, log: AnswerLog) -> None:
        log.keep([answered_of("a", at=MONDAY.astimezone(timezone(timedelta(hours=-5))))])
        (found,) = log.answers(WEEK)
        assert (found.asked_at, found.asked_at.tzinfo) == (MONDAY, UTC)

    def test_answers_come_back_in_the_order_in_which_they_were_kept(self, log: AnswerLog) -> None:
        for number, ids in enumerate((["c", "a"], ["b"])):
            log.keep([answered_of(name, at=MONDAY + timedelta(days=2 - number)) for name in ids])
        assert [found.id for found in log.answers(WEEK)] == ["c", "a", "b"]

    def test_keeping_an_id_again_changes_nothing(self, log: AnswerLog) -> None:
        log.keep([answered_of("a", text="first")])
        log.keep([answered_of("a", text="second"), answered_of("b")])
        assert [found.answer.text for found in log.answers(WEEK)] == ["first", answered_of("b").answer.text]

    def test_a_window_holds_its_start_and_not_its_end(self, log: AnswerLog) -> None:
        instants = {"before": WEEK.start - _MICROSECOND, "start": WEEK.start, "end": WEEK.end}
        log.keep([answered_of(name, at=at) for name, at in instants.items()])
        assert [found.id for found in log.answers(WEEK)] == ["start"]

    def test_systems_are_kept_apart_where_one_is_named(self, log: AnswerLog) -> None:
        log.keep([answered_of("a"), answered_of("b", system="desk")])
        assert [found.id for found in log.answers(WEEK, "desk")] == ["b"]
        assert len(list(log.answers(WEEK))) == 2

    def test_what_is_forgotten_is_gone_and_counted_and_the_rest_stays(self, log: AnswerLog) -> None:
        log.keep([answered_of("a"), answered_of("b"), answered_of("c")])
        assert (log.forget({"a", "c", "nobody's"}), log.forget(["a"]), log.forget([])) == (2, 0, 0)
        assert [found.id for found in log.answers(WEEK)] == ["b"]

    def test_an_empty_log_has_no_answer_and_forgets_nothing(self, log: AnswerLog) -> None:
        log.keep([])
        assert (list(log.answers(WEEK)), log.find("x"), log.forget(["x"])) == ([], None, 0)

    @pytest.mark.parametrize(
        "wrong", [{"findings": {"odd": Passed({"score": float("nan")})}}, {"question": "half a \ud83d character"}]
    )
    def test_an_answer_that_cannot_be_kept_is_refused_with_all_that_came_with_it(
        self, log: AnswerLog, wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(DataError, match="wrong"):
            log.keep([answered_of("a"), answered_of("wrong", **wrong)])
        assert log.find("a") is None

    def test_threads_that_keep_at_once_lose_nothing(self, log: AnswerLog) -> None:
        def keep(worker: int) -> None:
            for number in range(25):
                log.keep([answered_of(f"{worker}-{number}-{row}") for row in range(4)])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(keep, range(4)))
        assert len({found.id for found in log.answers(WEEK)}) == 400


def _as_kept(one: Answered) -> Answered:
    """The answer as a log gives it back, through the form in which logs keep it."""
    answer = Answer.from_json(json.loads(written_answer(one)))
    return replace(one, asked_at=utc(one.asked_at), answer=answer)
