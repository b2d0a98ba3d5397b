"""Clients over HTTP, and what tells them apart: one that goes in circles stops no other, and what it heard is its own."""

import asyncio
from datetime import timedelta

import pytest

from ops_pipelines.apps.tool_gateway.admission import DoorRule
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.testing.gates import NOON

from .desk import REFUND, Desk, client_at, traced

LOOK, CIRCLES = ("look", {"week": "w1"}), 4


def called(desk, *clients):
    """What each of some clients, one after the other, is given for its calls."""

    async def all_of_them():
        async with desk.over_http() as url:
            found = []
            for (mode, headers), calls in clients:
                async with client_at(url, mode=mode, **headers) as client:
                    found.append([(await client.call_tool_mcp(*call)).structured_content for call in calls])
            return found

    return asyncio.run(all_of_them())


def knows(desk, **tokens):
    def principal_of(token):
        if token not in tokens:
            raise NotAllowed("the token is of no principal", expected="one", action="Ask for one")
        return tokens[token]

    desk.principal_of = principal_of


NAMED = {
    "a session": [("legacy", {}), ("legacy", {})],
    "a trace": [("auto", traced()), ("auto", traced())],
    "a token": [("auto", {"Authorization": "Bearer one"}), ("auto", {"Authorization": "bearer two"})],
}


@pytest.mark.parametrize("by", NAMED)
def test_a_client_that_goes_in_circles_is_stopped_and_no_other(by):
    desk = Desk()
    knows(desk, one="anna", two="ben")
    first, second = NAMED[by]
    circling, other = called(desk, (first, [LOOK] * CIRCLES), (second, [LOOK]))
    assert circling[-1]["stage"] == "loop"
    assert other == [{"result": "all is well"}]


@pytest.mark.parametrize("by", NAMED)
def test_what_one_client_was_told_vouches_for_no_id_of_another(by):
    desk = Desk()
    knows(desk, one="anna", two="ben")
    desk.does = lambda: "the customer is bob@acme.example, who paid 12.00"
    first, second = NAMED[by]
    own, others = called(desk, (first, [LOOK, ("refund", REFUND)]), (second, [("refund", REFUND)]))
    assert own[1]["status"] == "waiting"
    assert others[0]["stage"] == "provenance"


def test_a_client_that_nothing_tells_from_another_may_read_and_have_no_effect():
    desk = Desk()
    (found,) = called(desk, (("auto", {"mcp-session-id": "mine"}), [LOOK] * CIRCLES + [("note", {"text": "x"})]))
    assert found[:-1] == [{"result": "all is well"}] * CIRCLES
    assert (found[-1]["stage"], found[-1]["can_retry"]) == ("admit", False)
    assert "nothing in the request says which client this is" in found[-1]["reason"]
    assert "traceparent" in found[-1]["do"]
    assert ("note", "x") not in desk.done
    assert len(desk.log.runs(Window(NOON - timedelta(days=1), NOON + timedelta(days=1)))) == CIRCLES


@pytest.mark.parametrize(("unnamed", "stage"), [("apart", "provenance"), ("refused", "admit")])
def test_the_operator_says_what_such_a_client_may_do(unnamed, stage):
    desk = Desk()
    desk.door = DoorRule(unnamed=unnamed)
    desk.does = lambda: "the customer is bob@acme.example, who paid 12.00"
    ((look, refund),) = called(desk, (("auto", {}), [LOOK, ("refund", REFUND)]))
    assert refund["stage"] == stage
    assert (look.get("stage") == "admit") == (unnamed == "refused")


def test_a_token_that_is_of_nobody_is_refused_whatever_else_a_request_says():
    desk = Desk()
    knows(desk, one="anna")
    ((found,),) = called(desk, (("auto", {"Authorization": "Bearer three", **traced()}), [LOOK]))
    assert "the token of the request does not count: the token is of no principal" in found["reason"]
    assert desk.done == []


def test_two_principals_that_name_one_trace_share_its_graph_and_not_what_they_heard():
    desk = Desk()
    knows(desk, one="anna", two="ben")
    desk.does = lambda: "the customer is bob@acme.example, who paid 12.00"
    trace = traced()
    tokens = [("auto", {"Authorization": f"Bearer {token}", **trace}) for token in ("one", "two")]
    _, (other,) = called(desk, (tokens[0], [LOOK]), (tokens[1], [("refund", REFUND)]))
    assert other["stage"] == "provenance"


def test_who_asks_by_a_token_of_theirs_approves_none_of_it():
    desk = Desk()
    knows(desk, one="anna")
    desk.terms = {"operator_text": "pay bob@acme.example 12.00", "started_by": "ben"}
    called(desk, (("auto", {"Authorization": "Bearer one"}), [("refund", REFUND)]))
    (held,) = desk.sessions.parts.approvals.held()
    assert held.request.started_by == "anna"
