"""The fake of `mlops.retraining.RetrainingLog`, and the conformance suite that the fake and every adapter run.

A team that writes a log of its own subclasses the suite and gives it a fixture named `log`:

    class TestOurLog(RetrainingLogConformance):
        @pytest.fixture
        def log(self, tmp_path):
            return OurLog(tmp_path)
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier, Lock

import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.mlops.retraining_log import Request, RetrainingLog, TrainingStep

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)


class MemoryRetrainingLog:
    """A RetrainingLog that forgets with its process. Like a real one it keeps JSON and not the caller's objects."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[str, bytes] = {}
        self._steps: dict[str, bytes] = {}

    def ask(self, request: Request) -> Request:
        content = canonical_json(request.to_json())
        with self._lock:
            standing = self._rows.setdefault(request.key, content)
        return Request.from_json(json.loads(standing))

    def requests(self, system: str) -> tuple[Request, ...]:
        with self._lock:
            rows = [Request.from_json(json.loads(content)) for content in self._rows.values()]
        return tuple(request for request in rows if request.system == system)

    def spend(self, step: TrainingStep) -> None:
        content = canonical_json(step.to_json())
        with self._lock:
            self._steps.setdefault(step.key, content)

    def steps(self, system: str) -> tuple[TrainingStep, ...]:
        with self._lock:
            rows = [TrainingStep.from_json(json.loads(content)) for content in self._steps.values()]
        return tuple(step for step in rows if step.system == system)


def request_of(key: str, *, system: str = "flight_delay", actor: str = "ada", as_of: datetime = MONDAY) -> Request:
    """A person's request, under this key, to train a system up to the end of a week."""
    week = (as_of - timedelta(weeks=1)).date().isoformat()
    return Request(key, system, week, as_of, "it is old", actor, at=as_of + timedelta(hours=1, microseconds=7))


def step_of(run: str, *, cost: float | None = None, system: str = "flight_delay", request: str = "a") -> TrainingStep:
    """A checkpoint's step of a run, begun, or ended at some cost in CPU seconds."""
    return TrainingStep(request, system, run, "checkpoint", MONDAY, cost, is_good=cost is not None)


class RetrainingLogConformance:
    """What every RetrainingLog guarantees, as tests of the fixture `log`."""

    def test_returns_what_was_asked_unchanged(self, log: RetrainingLog) -> None:
        episodes = ("desk/ab/performance/2013-02-25", "desk/ab/age/2013-02-25")
        request = replace(request_of("naïve ☂", actor="Zoë"), reason='"quoted"\n; and more', episodes=episodes)
        assert log.ask(request) == request
        assert log.requests("flight_delay") == (request,)

    def test_an_instant_comes_back_as_the_same_instant_in_utc(self, log: RetrainingLog) -> None:
        elsewhere = MONDAY.astimezone(timezone(timedelta(hours=-5)))
        log.ask(request_of("a", as_of=elsewhere))
        (request,) = log.requests("flight_delay")
        assert (request.as_of, request.as_of.tzinfo) == (MONDAY, UTC)

    def test_a_request_without_a_time_zone_is_refused_and_not_written(self, log: RetrainingLog) -> None:
        with pytest.raises(ConfigError, match="time zone"):
            log.ask(request_of("a", as_of=MONDAY.replace(tzinfo=None)))
        assert log.requests("flight_delay") == ()

    def test_rows_come_back_in_the_order_in_which_they_were_written(self, log: RetrainingLog) -> None:
        for number, key in enumerate(("c", "a", "b")):
            log.ask(request_of(key, as_of=MONDAY - timedelta(weeks=number)))
        assert [request.key for request in log.requests("flight_delay")] == ["c", "a", "b"]

    def test_of_two_rows_with_one_key_the_first_stands(self, log: RetrainingLog) -> None:
        first, second = request_of("a", actor="ada"), request_of("a", actor="bob")
        log.ask(first)
        assert log.ask(second) == first
        assert log.requests("flight_delay") == (first,)

    def test_asking_the_same_again_changes_nothing(self, log: RetrainingLog) -> None:
        first, second = request_of("a"), request_of("b")
        for request in (first, second, first):
            assert log.ask(request) == request
        assert log.requests("flight_delay") == (first, second)

    def test_a_key_is_taken_for_every_system(self, log: RetrainingLog) -> None:
        first = log.ask(request_of("a", system="flight_delay"))
        assert log.ask(request_of("a", system="desk")) == first
        assert log.requests("desk") == ()

    def test_lists_only_the_rows_of_the_system_asked_for(self, log: RetrainingLog) -> None:
        for key, system in (("a", "desk"), ("b", "flight_delay"), ("c", "desk")):
            log.ask(request_of(key, system=system))
        assert [request.key for request in log.requests("desk")] == ["a", "c"]

    def test_a_system_that_nobody_asked_for_has_no_row(self, log: RetrainingLog) -> None:
        log.ask(request_of("a"))
        assert log.requests("nobody") == ()

    def test_threads_that_ask_at_once_with_one_key_get_the_same_row(self, log: RetrainingLog) -> None:
        start = Barrier(4)

        def ask(actor: str) -> Request:
            start.wait()
            return log.ask(request_of("a", actor=actor))

        with ThreadPoolExecutor(4) as pool:
            standing = set(pool.map(ask, ["ada", "bob", "eve", "zoe"]))
        assert standing == set(log.requests("flight_delay"))
        assert len(standing) == 1

    def test_threads_that_ask_at_once_with_other_keys_lose_no_row(self, log: RetrainingLog) -> None:
        start = Barrier(4)

        def ask(actor: str) -> list[Request]:
            start.wait()
            return [log.ask(request_of(f"{actor}/{number}", actor=actor)) for number in range(5)]

        with ThreadPoolExecutor(4) as pool:
            asked = {actor: tuple(rows) for actor, rows in zip("abcd", pool.map(ask, "abcd"), strict=True)}
        kept = log.requests("flight_delay")
        assert {actor: tuple(row for row in kept if row.actor == actor) for actor in "abcd"} == asked

    def test_a_step_comes_back_unchanged_begun_and_ended_in_the_order_of_writing(self, log: RetrainingLog) -> None:
        steps = (step_of("r2"), step_of("r1"), step_of("r2", cost=1.25), step_of("r1", cost=0.0))
        for step in steps:
            log.spend(step)
        assert log.steps("flight_delay") == steps

    def test_what_a_step_cost_is_said_once_and_the_first_stands(self, log: RetrainingLog) -> None:
        for step in (step_of("r1"), step_of("r1", cost=7.0), step_of("r1"), step_of("r1", cost=70.0)):
            log.spend(step)
        assert [step.cpu_seconds for step in log.steps("flight_delay")] == [None, 7.0]

    def test_steps_are_listed_by_system_and_are_no_requests(self, log: RetrainingLog) -> None:
        log.spend(step_of("r1", system="desk"))
        assert log.steps("flight_delay") == ()
        assert log.requests("desk") == ()
        assert len(log.steps("desk")) == 1
