import asyncio
import threading
import time
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.apps.log_writer import LogWriter
from ops_pipelines.core.errors import DataError, SchemaMismatch
from ops_pipelines.mlops.prediction_log import Answer
from ops_pipelines.testing.prediction_log import WEEK, BreakablePredictionLog, MemoryPredictionLog, answer_of


@dataclass(frozen=True)
class Answers:
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def answers(self) -> list[Answer]:
        return [answer_of(name) for name in self.ids]


def ids_in(log: MemoryPredictionLog) -> list[str]:
    return [answer.id for answer in log.answers("flight_delay", WEEK)]


def until(holds) -> None:
    give_up = time.monotonic() + 60
    while not holds() and time.monotonic() < give_up:
        time.sleep(0.005)
    assert holds()


class HeldLog(BreakablePredictionLog):
    """A log that writes nothing before it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing, self.go_on = threading.Event(), threading.Event()

    def keep(self, answers, *, durable=False) -> None:
        self.is_writing.set()
        self.go_on.wait(60)
        super().keep(answers, durable=durable)


def writer_of(log, *, age_seconds: float = 60.0) -> LogWriter:
    writer = LogWriter(log, most_pending=10, most_age_seconds=age_seconds, flush_every_seconds=0.01)
    writer.start()
    return writer


@pytest.fixture
def log() -> BreakablePredictionLog:
    return BreakablePredictionLog()


@pytest.fixture
def writer(log):
    writer = writer_of(log)
    yield writer
    log.broken = None
    assert writer.stop(timeout_seconds=60) == 0


@pytest.fixture
def held():
    return HeldLog()


@pytest.fixture
def held_writer(held):
    writer = writer_of(held)
    yield writer
    held.go_on.set()
    assert writer.stop(timeout_seconds=60) == 0


def test_what_was_taken_is_in_the_log_a_moment_later(log, writer):
    assert writer.offer(Answers(("a", "b")))
    until(lambda: writer.state().pending == 0)
    assert ids_in(log) == ["a", "b"]


def test_what_was_taken_is_in_the_log_after_the_end(log):
    writer = LogWriter(log, most_pending=10, flush_every_seconds=60)
    writer.start()
    assert writer.offer(Answers(("a",)))
    assert writer.stop(timeout_seconds=60) == 0
    assert ids_in(log) == ["a"]


def test_no_more_is_taken_than_may_wait_and_what_was_not_taken_is_counted(log, writer):
    log.broken = "the disk is full"
    taken = [writer.offer(Answers((f"{number}-a", f"{number}-b", f"{number}-c"))) for number in range(5)]
    assert taken == [True, True, True, False, False]
    assert (writer.state().pending, writer.state().refused) == (9, 6)


def test_nothing_more_is_taken_once_the_oldest_has_waited_too_long(held):
    writer = writer_of(held, age_seconds=0.05)
    assert writer.offer(Answers(("a",)))
    until(lambda: writer.state().oldest_seconds > 0.05)
    assert not writer.offer(Answers(("b",)))
    held.go_on.set()
    assert writer.stop(timeout_seconds=60) == 0


def test_an_answer_counts_as_waiting_until_its_commit_has_returned(held, held_writer):
    assert held_writer.offer(Answers(("a",)))
    assert held.is_writing.wait(60)
    assert held_writer.state().pending == 1
    held.go_on.set()
    until(lambda: held_writer.state().pending == 0)


def test_a_log_that_fails_says_why_and_loses_nothing_once_it_is_mended(log, writer):
    log.broken = "the disk is full"
    assert writer.offer(Answers(("a",)))
    until(lambda: writer.state().failing)
    assert "the disk is full" in writer.state().failing
    log.broken = None
    until(lambda: writer.state().failing is None)
    assert writer.offer(Answers(("b",)))
    until(lambda: ids_in(log) == ["a", "b"])


@dataclass(frozen=True)
class Unmakeable(Answers):
    """Answers whose rows cannot even be made."""

    def answers(self) -> list[Answer]:
        raise ZeroDivisionError("a bug in what makes them")


@dataclass(frozen=True)
class Unkeepable(Answers):
    """Answers that no log keeps."""

    def answers(self) -> list[Answer]:
        return [replace(answer_of(name), keys={"flight": 10**30}) for name in self.ids]


@pytest.mark.parametrize("wrong", [Unmakeable(("x", "y")), Unkeepable(("x", "y"))], ids=["unmakeable", "unkeepable"])
@pytest.mark.parametrize("place", range(5))
def test_answers_that_can_be_kept_in_no_log_keep_no_others_from_it(log, wrong, place):
    writer = LogWriter(log, most_pending=10)
    batches = [Answers((name,)) for name in "abcd"]
    batches.insert(place, wrong)
    assert all(map(writer.offer, batches))
    writer.start()
    assert writer.stop(timeout_seconds=60) == 0
    state = writer.state()
    assert (ids_in(log), state.written, state.left_out, state.failing) == (list("abcd"), 4, 2, None)
    assert state.fault


def test_an_answer_that_can_be_kept_in_no_log_is_refused_to_who_waits_for_it_and_to_nobody_else(log, writer):
    async def ask() -> list[BaseException | None]:
        asked = (Answers(("a",)), Unkeepable(("b",)), Answers(("c",)))
        return await asyncio.gather(*map(writer.durably, asked), return_exceptions=True)

    before, wrong, after = asyncio.run(ask())
    assert (before, type(wrong), after) == (None, SchemaMismatch, None)
    assert (ids_in(log), writer.state().left_out) == (["a", "c"], 0)


def test_a_log_that_breaks_while_it_is_found_out_whose_fault_it_was_loses_nothing(log, writer):
    log.broken = "the disk is full"
    assert all(map(writer.offer, (Answers(("a",)), Unkeepable(("b",)), Answers(("c",)))))
    until(lambda: writer.state().failing)
    log.broken = None
    until(lambda: ids_in(log) == ["a", "c"])
    until(lambda: writer.state().pending == 0)
    assert (writer.state().left_out, writer.state().failing) == (1, None)


def test_a_durable_answer_is_in_the_log_when_it_returns(log, writer):
    async def ask() -> list[str]:
        await writer.durably(Answers(("a",)))
        return ids_in(log)

    assert asyncio.run(ask()) == ["a"]
    assert log.commits == [True]


def test_durable_answers_that_wait_together_share_a_commit(held, held_writer):
    async def ask() -> None:
        asked = [asyncio.create_task(held_writer.durably(Answers((str(number),)))) for number in range(8)]
        await asyncio.sleep(0)  # each of them has asked by now
        held.go_on.set()
        await asyncio.gather(*asked)

    asyncio.run(ask())
    assert len(ids_in(held)) == 8
    assert len(held.commits) <= 3


def test_a_durable_answer_that_cannot_be_kept_is_refused_and_not_kept_later(log, writer):
    log.broken = "the disk is full"

    async def ask() -> None:
        with pytest.raises(DataError, match="the disk is full"):
            await writer.durably(Answers(("a",)))

    asyncio.run(ask())
    log.broken = None
    assert writer.offer(Answers(("b",)))
    until(lambda: ids_in(log) == ["b"])


def test_room_is_waited_for_while_the_log_is_slow(held, held_writer):
    async def ask() -> bool:
        assert held_writer.offer(Answers(tuple("abcdefghij")))
        assert not held_writer.offer(Answers(("k",)))
        waiting = asyncio.create_task(held_writer.room(1, 60))
        await asyncio.sleep(0)
        held.go_on.set()
        return await waiting and held_writer.offer(Answers(("k",)))

    assert asyncio.run(ask())


def test_room_for_three_is_waited_for_where_there_is_room_for_one(held, held_writer):
    async def ask() -> bool:
        assert held_writer.offer(Answers(tuple("abcdefghi")))
        waiting = asyncio.create_task(held_writer.room(3, 60))
        await asyncio.sleep(0)
        assert not waiting.done()
        held.go_on.set()
        return await waiting and held_writer.offer(Answers(tuple("klm")))

    assert asyncio.run(ask())


def test_nobody_waits_for_the_room_of_a_log_that_fails(log, writer):
    log.broken = "the disk is full"
    assert writer.offer(Answers(tuple("abcdefghij")))
    until(lambda: writer.state().failing)
    assert not asyncio.run(writer.room(1, 1_000))


def test_room_is_not_waited_for_longer_than_asked(held_writer):
    assert held_writer.offer(Answers(tuple("abcdefghij")))
    assert not asyncio.run(held_writer.room(1, 0.05))


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 7), max_size=30), broken=st.sets(st.integers(0, 29)))
def test_never_do_more_wait_than_may_and_all_that_was_taken_is_written(sizes, broken):
    log = BreakablePredictionLog()
    writer = LogWriter(log, most_pending=10, flush_every_seconds=0.001)
    writer.start()
    taken: list[str] = []
    for number, size in enumerate(sizes):
        log.broken = "full" if number in broken else None
        ids = tuple(f"{number}-{row}" for row in range(size))
        taken += ids if writer.offer(Answers(ids)) else ()
        assert writer.state().pending <= 10
    log.broken = None
    assert writer.stop(timeout_seconds=60) == 0
    assert ids_in(log) == taken
