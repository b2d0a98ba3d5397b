"""A hot door around whatever answers: what it lets through, what it counts, and that a fault of ours is told as one."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from ops_pipelines.apps.model_server.app import Door
from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.apps.model_server.settings import Settings


@dataclass
class Worker:
    """What a door asks of its worker; it notes what was counted."""

    settings: Settings = field(default_factory=Settings)
    callers: Any = None
    slots: tuple[str, ...] = ("flight_delay",)
    counted: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def board(self):
        return self

    @property
    def metrics(self):
        return self

    def request(self, system, door, status, took):
        assert took >= 0
        self.counted.append((system, door, status))


class Suspicious:
    """Callers who refuse everybody."""

    def check(self, scope, system):
        raise Refused(403, f"not for {system}", expected="a grant", action="Ask for one")


async def echo(scope, body):
    return body


async def breaks(scope, body):
    raise ZeroDivisionError("no number of ours")


def ask(worker, answer, *, method="POST", system="flight_delay"):
    door = Door(worker, "infer", answer)

    async def routed(scope, receive, send):
        await door(scope | {"path_params": {"system": system}}, receive, send)

    async def go():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(routed), base_url="http://localhost") as client:
            return await client.request(method, "/", json={"x": 1})

    return asyncio.run(go())


def test_what_is_answered_goes_out_and_is_counted():
    worker = Worker()
    assert ask(worker, echo).json() == {"x": 1}
    assert worker.counted == [("flight_delay", "infer", 200)]


def test_whoever_may_not_ask_is_refused_before_the_body_is_read():
    worker = Worker(callers=Suspicious(), settings=Settings(max_body_bytes=1))
    assert ask(worker, echo).status_code == 403
    assert worker.counted == [("flight_delay", "infer", 403)]


def test_systems_that_callers_make_up_are_counted_as_one():
    worker = Worker()
    for number in range(3):
        ask(worker, echo, system=f"made up {number}")
    assert set(worker.counted) == {("unknown", "infer", 200)}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_told_which_one_is_taken(method):
    refused = ask(Worker(), echo, method=method)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_a_fault_of_ours_is_a_500_in_json_that_is_counted_and_told_with_its_trace(capsys):
    worker = Worker()
    failed = ask(worker, breaks)
    assert (failed.status_code, set(failed.json())) == (500, {"error", "expected", "action"})
    assert worker.counted == [("flight_delay", "infer", 500)]
    told = json.loads(capsys.readouterr().err)
    assert told["event"] == "request_failed"
    assert "ZeroDivisionError: no number of ours" in told["trace"]
    assert "no number of ours" not in failed.text
