"""The fakes of `mlops.prediction_log.PredictionLog`, and the conformance suite that the fake and every adapter run.

A team that writes a log of its own subclasses the suite and gives it a fixture named `log`:

    class TestOurLog(PredictionLogConformance):
        @pytest.fixture
        def log(self, tmp_path):
            return OurLog(tmp_path)
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from math import isnan, nan
from threading import Lock
from typing import Any

import pytest

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import ConfigError, DataError, SchemaMismatch
from ops_pipelines.mlops.prediction_log import LIVE, Answer, PredictionLog

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)
WEEK = Window(MONDAY, MONDAY + timedelta(weeks=1))


class MemoryPredictionLog:
    """A PredictionLog that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: dict[str, Answer] = {}

    def keep(self, answers: Sequence[Answer], *, durable: bool = False) -> None:  # noqa: ARG002  (memory is all it has)
        with self._lock:
            kept = [_as_kept(answer) for answer in answers]
            for answer in kept:
                self._answers.setdefault(answer.id, answer)

    def answers(self, system: str, window: Window) -> Iterator[Answer]:
        with self._lock:
            kept = list(self._answers.values())
        yield from (answer for answer in kept if _is_of(answer, system, window))

    def find(self, id: str) -> Answer | None:
        with self._lock:
            return self._answers.get(id)

    def forget(self, ids: Collection[str]) -> int:
        with self._lock:
            return sum(self._answers.pop(id, None) is not None for id in ids)


class BreakablePredictionLog(MemoryPredictionLog):
    """A log that fails while `broken` says why, and takes `seconds` for each write: a disk that is full, or slow."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: str | None = None
        self.seconds = 0.0
        self.commits: list[bool] = []
        """Each commit that was kept, and whether it was a durable one."""

    def keep(self, answers: Sequence[Answer], *, durable: bool = False) -> None:
        time.sleep(self.seconds)
        if self.broken:
            raise DataError(self.broken, expected="a log that can be written", action="Mend it")
        super().keep(answers, durable=durable)
        self.commits.append(durable)


def answer_of(id: str, *, system: str = "flight_delay", asked_at: datetime = MONDAY, score: float = 0.25) -> Answer:
    """An answer with this id, which is about this instant."""
    return Answer(
        id=id,
        system=system,
        release="ab" * 32,
        arm=LIVE,
        entity="UA1545",
        asked_at=asked_at,
        served_at=asked_at + timedelta(microseconds=7),
        score=score,
        vector={"distance": 1400.0, "seats": None, "airline": "UA", "night": True, "hour": 7},
        keys={"origin": "EWR"},
    )


UNKEEPABLE: Sequence[Mapping[str, Any]] = (
    {"vector": {"distance": object()}},
    {"vector": {"departed": MONDAY}},
    {"keys": {"flight": 10**30}},
    {"entity": 1545},
    {"entity": "half of a pair: \ud800"},
    {"asked_at": MONDAY.replace(tzinfo=None)},
)
"""What may not stand in an answer: no log could give it back unchanged."""


class PredictionLogConformance:
    """What every PredictionLog guarantees, as tests of the fixture `log`."""

    def test_returns_what_was_kept_unchanged(self, log: PredictionLog) -> None:
        answer = replace(answer_of("naïve ☂"), score=0.1 + 0.2, entity=None, keys={}, asked_at=MONDAY + _MICROSECOND)
        log.keep([answer])
        assert log.find("naïve ☂") == answer
        assert list(log.answers("flight_delay", WEEK)) == [answer]

    def test_an_instant_comes_back_as_the_same_instant_in_utc(self, log: PredictionLog) -> None:
        log.keep([answer_of("a", asked_at=MONDAY.astimezone(timezone(timedelta(hours=-5))))])
        (found,) = log.answers("flight_delay", WEEK)
        assert (found.asked_at, found.asked_at.tzinfo) == (MONDAY, UTC)

    def test_answers_come_back_in_the_order_in_which_they_were_kept(self, log: PredictionLog) -> None:
        for number, ids in enumerate((["c", "a"], ["b"])):
            log.keep([answer_of(name, asked_at=MONDAY + timedelta(days=2 - number)) for name in ids])
        assert [found.id for found in log.answers("flight_delay", WEEK)] == ["c", "a", "b"]

    def test_keeping_an_id_again_changes_nothing(self, log: PredictionLog) -> None:
        log.keep([answer_of("a", score=0.1)])
        log.keep([answer_of("a", score=0.9), answer_of("b")])
        assert [(found.id, found.score) for found in log.answers("flight_delay", WEEK)] == [("a", 0.1), ("b", 0.25)]

    def test_a_window_holds_its_start_and_not_its_end(self, log: PredictionLog) -> None:
        instants = {"before": WEEK.start - _MICROSECOND, "start": WEEK.start, "end": WEEK.end}
        log.keep([answer_of(name, asked_at=at) for name, at in instants.items()])
        assert [found.id for found in log.answers("flight_delay", WEEK)] == ["start"]

    def test_systems_are_kept_apart(self, log: PredictionLog) -> None:
        log.keep([answer_of("a"), answer_of("b", system="desk")])
        assert [found.id for found in log.answers("desk", WEEK)] == ["b"]

    def test_what_is_forgotten_is_gone_and_counted_and_the_rest_stays(self, log: PredictionLog) -> None:
        log.keep([answer_of("a"), answer_of("b"), answer_of("c")])
        assert (log.forget({"a", "c", "nobody's"}), log.forget(["a"]), log.forget([])) == (2, 0, 0)
        assert [found.id for found in log.answers("flight_delay", WEEK)] == ["b"]

    def test_an_empty_log_answers_nothing_and_forgets_nothing(self, log: PredictionLog) -> None:
        log.keep([])
        assert (list(log.answers("nobody", WEEK)), log.find("x"), log.forget(["x"])) == ([], None, 0)

    def test_an_answer_that_cannot_be_kept_is_refused_with_all_that_came_with_it(self, log: PredictionLog) -> None:
        for wrong in UNKEEPABLE:
            with pytest.raises(SchemaMismatch, match="cannot be kept"):
                log.keep([answer_of("a"), replace(answer_of("wrong"), **wrong)], durable=True)
        assert log.find("a") is None

    def test_a_feature_that_is_no_number_comes_back_as_one(self, log: PredictionLog) -> None:
        log.keep([replace(answer_of("a"), vector={"distance": nan, "wind": 1.5})])
        found = log.find("a")
        assert found is not None
        assert (isnan(found.vector["distance"]), found.vector["wind"]) == (True, 1.5)

    def test_a_score_that_is_no_number_comes_back_as_one(self, log: PredictionLog) -> None:
        log.keep([answer_of("a", score=nan)])
        found = log.find("a")
        assert found is not None
        assert isnan(found.score)

    def test_threads_that_keep_at_once_lose_nothing(self, log: PredictionLog) -> None:
        def keep(worker: int) -> None:
            for number in range(25):
                log.keep([answer_of(f"{worker}-{number}-{row}") for row in range(4)], durable=number % 5 == 0)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(keep, range(4)))
        assert len({found.id for found in log.answers("flight_delay", WEEK)}) == 400


_MICROSECOND = timedelta(microseconds=1)


def _as_kept(answer: Answer) -> Answer:
    """The answer as a log gives it back; SchemaMismatch for what none could."""
    values = (*answer.vector.values(), *answer.keys.values())
    texts = (answer.id, answer.system, answer.release, answer.arm, answer.entity or "", *filter(_is_text, values))
    try:
        "".join(texts).encode()
        instants = {"asked_at": utc(answer.asked_at), "served_at": utc(answer.served_at)}
        if not all(map(_is_value, values)):
            raise TypeError("a value is no number, text, boolean or None")
    except (TypeError, UnicodeEncodeError, ConfigError) as error:
        raise SchemaMismatch(
            f"The answer {answer.id!r} cannot be kept: {error}", expected="plain values", action="Keep text instead"
        ) from error
    return replace(answer, vector=dict(answer.vector), keys=dict(answer.keys), **instants)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_value(value: Any) -> bool:
    return isinstance(value, str | float | None) or (isinstance(value, int) and -(2**63) <= value < 2**64)


def _is_of(answer: Answer, system: str, window: Window) -> bool:
    return answer.system == system and window.start <= answer.asked_at < window.end
