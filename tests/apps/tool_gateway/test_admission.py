import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.apps.tool_gateway.admission import Admission, DoorRule
from ops_pipelines.core.errors import ConfigError

ACTS = st.lists(st.tuples(st.sampled_from(["enter", "leave", "go_away"]), st.sampled_from("abc")), max_size=40)


def rule(**settings):
    return DoorRule(
        **{"at_once": 3, "each_at_once": 2, "waiting": 3, "each_waiting": 2, "wait_seconds": 60.0, **settings}
    )


async def entering(door, client):
    """A call that waits for its turn, or has it."""
    task = asyncio.ensure_future(door.enter(client))
    await asyncio.sleep(0)
    return task


def test_what_is_above_a_clients_share_waits_and_leaves_room_for_another_client():
    async def called():
        door = Admission(rule())
        first, second, third, other = [await entering(door, client) for client in ("a", "a", "a", "b")]
        before = third.done()
        door.leave("a")
        return first.done(), second.done(), before, other.done(), await third

    assert asyncio.run(called()) == (True, True, False, True, None)


def test_more_than_may_wait_is_refused_with_a_reason_to_act_on():
    async def called():
        door = Admission(rule())
        waiting = [await entering(door, "a") for _ in range(4)]
        refused = await door.enter("a")
        for task in waiting:
            task.cancel()
        return refused

    refused = asyncio.run(called())
    assert (refused.stage, refused.can_retry) == ("admit", True)
    assert refused.facts == {"under_way": 2, "waiting": 2, "wait_seconds": 60.0}
    assert "2 calls of this client are under way and 2 wait" in refused.reason


def test_what_waits_for_too_long_is_refused():
    async def called():
        door = Admission(rule(each_at_once=1, wait_seconds=0.01))
        await door.enter("a")
        return await door.enter("a")

    assert asyncio.run(called()).reason.endswith("none ended in 0.01 s")


def test_those_who_wait_come_in_in_their_order():
    came = []

    async def one(door, number):
        await door.enter(str(number))
        came.append(number)
        door.leave(str(number))

    async def called():
        door = Admission(rule(at_once=1, waiting=9))
        await door.enter("a")
        waiting = [asyncio.ensure_future(one(door, number)) for number in range(5)]
        await asyncio.sleep(0)
        door.leave("a")
        await asyncio.gather(*waiting)

    asyncio.run(called())
    assert all(one < other for one, other in pairwise(came))


class Crowd:
    """Calls that wait for their turn or are inside, by client."""

    def __init__(self) -> None:
        self.door, self.calls = Admission(rule()), []

    def inside(self):
        over = [(task, client) for task, client in self.calls if task.done() and not task.cancelled()]
        return [(task, client) for task, client in over if task.result() is None]

    async def enter(self, client):
        self.calls.append((await entering(self.door, client), client))

    async def leave(self, client):
        for one in [one for one in self.inside() if one[1] == client][:1]:
            self.calls.remove(one)
            self.door.leave(client)

    async def go_away(self, client):
        for task, of in self.calls:
            if of == client:
                task.cancel()


@settings(max_examples=40)
@given(ACTS)
def test_no_place_is_lost_or_given_twice_whoever_comes_and_goes(acts):
    async def called():
        crowd = Crowd()
        for act, client in [*acts, *(("go_away", client) for client in "abc")]:
            await getattr(crowd, act)(client)
            here = [client for _, client in crowd.inside()]
            assert len(here) <= 3
            assert all(here.count(one) <= 2 for one in here)
            await asyncio.sleep(0)
        await asyncio.gather(*(task for task, _ in crowd.calls), return_exceptions=True)
        for _, client in crowd.inside():
            crowd.door.leave(client)
        return [await crowd.door.enter(client) for client in "aab"]

    assert asyncio.run(called()) == [None] * 3


@pytest.mark.parametrize("wrong", [{"at_once": 0}, {"waiting": -1}, {"wait_seconds": 0}, {"unnamed": "red"}])
def test_a_door_that_nobody_comes_through_is_none(wrong):
    with pytest.raises(ConfigError, match="under `door` is"):
        DoorRule(**wrong)
