import pytest

from ops_pipelines.testing.gates import Broken

from .desk import REFUND, Desk

WRONG = {
    "no such tool": ("lok", {"week": "w1"}, "Did you mean 'look'?"),
    "a key too many": ("look", {"week": "w1", "force": True}, "'force' was unexpected"),
    "a key too few": ("look", {}, '"week" is a required property'),
    "a text for a number": ("look", {"week": "w1", "rows": "5"}, '"5" is not of type "integer"'),
    "a float for an integer": ("look", {"week": "w1", "rows": 5.0}, 'is not of type "integer"'),
}


@pytest.mark.parametrize("door", ["proxied", "mounted"])
def test_a_call_that_is_none_of_the_tools_is_not_executed(door):
    desk = Desk()
    found = desk.call(*((tool, arguments) for tool, arguments, _ in list(WRONG.values())[:3]), door=door)
    found += Desk().call(*((tool, arguments) for tool, arguments, _ in list(WRONG.values())[3:]), door=door)
    for answer, (_, _, why) in zip(found, WRONG.values(), strict=True):
        assert answer.is_error
        assert answer.structured_content["stage"] == "validate"
        assert why in answer.structured_content["reason"]
    assert desk.done == []


@pytest.mark.parametrize("door", ["proxied", "mounted"])
def test_what_a_tool_returns_comes_through_as_it_is(door):
    desk = Desk()
    (found,) = desk.call(("look", {"week": "w1"}), door=door)
    assert not found.is_error
    assert found.structured_content == {"result": "all is well"}
    assert found.content[0].text == "all is well"
    assert desk.done == [("look", 10)]


def test_a_tool_that_nobody_declared_is_not_offered_and_not_called():
    desk = Desk()
    (found,) = desk.call(("note", {"text": "hello"}), declared={})
    assert found.structured_content["status"] == "denied"
    assert desk.done == []


def test_a_tool_that_nobody_declared_can_count_as_the_worst():
    desk = Desk()
    (found,) = desk.call(("note", {"text": "hello"}), declared={}, undeclared="destructive")
    assert found.structured_content["status"] == "waiting"
    assert desk.done == []


@pytest.mark.parametrize("store", ["approvals", "journal", "log"])
def test_nothing_is_done_while_a_store_is_down(store):
    desk = Desk()
    desk.terms = {"operator_text": "pay bob@acme.example 12.00"}
    desk.parts |= {store: Broken()}
    (found,) = desk.call(("note", {"text": "hello"}) if store != "approvals" else ("refund", REFUND))
    assert found.is_error
    assert "The store is down" in found.structured_content["reason"]
    assert desk.done == []


def test_nothing_is_done_while_the_run_log_is_down():
    desk = Desk()
    desk.log = Broken()
    (found,) = desk.call(("note", {"text": "hello"}))
    assert found.structured_content["stage"] == "record"
    assert desk.done == []


def test_a_log_that_fails_after_an_effect_leaves_it_unknown_and_stops_the_next_one():
    desk = Desk()
    kept = desk.log.append

    def fail_on_tools(entries):
        if desk.done:
            Broken().append(entries)
        return kept(entries)

    desk.log.append = fail_on_tools
    first, second = desk.call(("note", {"text": "one"}), ("note", {"text": "two"}))
    assert first.structured_content["status"] == "unknown"
    assert second.structured_content["reason"].startswith("the run could not be recorded")
    assert desk.done == [("note", "one")]
