import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ops_pipelines.agentops.breaker import Breaker, LoopRule
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, Passed

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


def calls_until_stopped(steps, breaker: Breaker | None = None) -> int:
    """How many of the steps (tool, arguments, result) were let through."""
    breaker, made = breaker or Breaker(LoopRule(), NOON), 0
    for tool, arguments, result in steps:
        if isinstance(breaker.admit(NOON), Blocked):
            break
        breaker.record("a", tool, arguments, result, failed=False)
        made += 1
    return made


def loop(period: int, seed: int, count: int):
    """Agents that hand the same words round, with new ids each time."""
    draw = random.Random(seed)
    names = draw.sample(["request_id", "message_id", "correlation_id", "sent_at", "id", "attempt"], 2)
    for number in range(count):
        place = number % period
        new = str(UUID(int=draw.getrandbits(128), version=4))
        yield (
            f"tool-{place}",
            {"text": f"are you done with part {place}?", names[0]: new, names[1]: new},
            f"not yet, {new}",
        )


@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_a_loop_with_changing_ids_is_stopped_within_three_periods(period):
    stopped = [calls_until_stopped(loop(period, seed, 100)) <= 3 * period for seed in range(50)]
    assert sum(stopped) >= 0.95 * len(stopped)


@pytest.mark.parametrize(
    "record",
    [
        lambda n: [("process", {"record_id": n}, "ok")],
        lambda n: [("process", {"record": f"rec-{n:04}", "status": "done"}, '{"ok": true}')],
        lambda n: [("process", {"record_id": str(UUID(int=n + 2**100)), "status": "done"}, "ok")],
        lambda n: [("next", {}, f'{{"record": {n}}}'), ("process", {"record": n}, "ok")],
        lambda n: [
            ("read", {"row": n}, f"value {n * 7}"),
            ("write", {"row": n, "v": n * 7}, "ok"),
            ("commit", {}, "ok"),
        ],
    ],
)
def test_a_worker_on_five_hundred_records_is_never_stopped(record):
    steps = [step for number in range(500) for step in record(number)]
    assert calls_until_stopped(steps, Breaker(LoopRule(steps=5000), NOON)) == len(steps)


def test_records_with_ids_of_no_form_of_their_own_are_known_by_the_list_that_named_them():
    ids = [str(UUID(int=number, version=4)) for number in range(500)]
    steps = [("list", {}, str(ids).replace("'", '"')), *(("close", {"id": one, "how": "soft"}, "ok") for one in ids)]
    assert calls_until_stopped(steps) == 501
    assert calls_until_stopped(steps[1:]) == 3


def test_a_circle_that_is_left_for_something_new_is_none():
    steps = [("look", {}, "same"), ("look", {}, "same"), ("write", {"n": 1}, "ok"), ("look", {}, "same")]
    assert calls_until_stopped([*steps, ("write", {"n": 2}, "ok")]) == 5


def test_a_tool_that_may_be_polled_is_asked_again_and_again():
    steps = [("now", {}, "noon")] * 10
    assert calls_until_stopped(steps, Breaker(LoopRule(polls=("now",)), NOON)) == 10


def test_failures_in_a_row_stop_and_one_success_begins_anew():
    breaker = Breaker(LoopRule(), NOON)
    for number, failed in enumerate([True, True, False, True, True]):
        breaker.record("a", "t", {"n": number}, str(number), failed=failed)
        assert isinstance(breaker.admit(NOON), Passed)
    breaker.record("a", "t", {"n": 9}, "9", failed=True)
    found = breaker.admit(NOON)
    assert isinstance(found, Blocked)
    assert "3 calls in a row failed" in found.reasons[0]


def test_a_breaker_that_has_opened_stays_open():
    breaker = Breaker(LoopRule(), NOON)
    assert calls_until_stopped([("look", {}, "same")] * 5, breaker) == 3
    breaker.record("a", "write", {"n": 1}, "new", failed=False)
    assert isinstance(breaker.admit(NOON), Blocked)


def test_steps_and_time_are_those_of_all_who_share_it():
    breaker = Breaker(LoopRule(steps=40), NOON)
    with ThreadPoolExecutor(4) as pool:
        admitted = list(pool.map(lambda _: isinstance(breaker.admit(NOON), Passed), range(100)))
    assert (sum(admitted), breaker.steps) == (40, 40)
    slow = Breaker(LoopRule(wall=timedelta(minutes=5)), NOON)
    found = [slow.admit(NOON + timedelta(minutes=minutes)) for minutes in (4, 5)]
    assert [isinstance(one, Passed) for one in found] == [True, False]


def test_parallel_children_that_do_the_same_are_no_circle():
    breaker = Breaker(LoopRule(), NOON)
    for child in ("one", "two", "three", "four"):
        assert isinstance(breaker.admit(NOON), Passed)
        breaker.record(child, "look", {}, "same", failed=False)
    assert isinstance(breaker.admit(NOON), Passed)


@pytest.mark.parametrize("wrong", [{"repeats": 1}, {"errors": 0}, {"steps": 0}, {"wall": timedelta(0)}])
def test_a_rule_that_stops_everything_is_refused(wrong):
    with pytest.raises(ConfigError, match="breaker"):
        LoopRule(**wrong)
