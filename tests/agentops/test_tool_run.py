import threading

import pytest

from ops_pipelines.agentops.tool_run import Ran, as_text, run_tool


def ran(work, *, seconds: float = 60.0, late=lambda _: None) -> Ran:
    return run_tool(work, seconds=seconds, most_bytes=1000, late=late)


def test_a_result_is_canonical_json():
    assert ran(lambda: {"b": 1, "a": "ä"}) == Ran('{"a":"ä","b":1}')


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_whatever_a_tool_raises_is_what_it_came_to(error):
    def fail():
        raise error

    assert ran(fail) == Ran(error=error)
    assert ran(lambda: 1) == Ran("1")


def test_a_tool_that_hangs_is_waited_for_no_longer_and_its_answer_is_handed_on_later():
    go_on, told, heard = threading.Event(), [], threading.Event()

    def late(answer):
        told.append(answer)
        heard.set()

    def hangs():
        go_on.wait(60)
        return "at last"

    assert ran(hangs, seconds=0.02, late=late) == Ran(in_time=False)
    assert ran(lambda: 1) == Ran("1")
    go_on.set()
    assert heard.wait(60)
    assert told == [Ran('"at last"')]


def test_what_is_no_json_or_too_long_is_told_as_such():
    assert as_text(object(), 1000) == ('{"unreadable":"object"}', False)
    assert as_text(float("nan"), 1000) == ('{"unreadable":"float"}', False)
    text, truncated = as_text("x" * 2000, 1000)
    assert (truncated, '"bytes":2002' in text, '"sha256":' in text) == (True, True, True)


def test_context_variables_of_the_caller_are_seen_by_the_tool():
    from contextvars import ContextVar

    who = ContextVar("who", default="nobody")
    who.set("anna")
    assert ran(who.get) == Ran('"anna"')
