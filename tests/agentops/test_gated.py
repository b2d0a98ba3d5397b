from typing import Annotated

from ops_pipelines.agentops.claims import AMOUNT_CENTS
from ops_pipelines.agentops.gated import gated, within
from ops_pipelines.testing.gates import gate_of, parts_of

PAID: list[int] = []


@gated(effect="write", owner="payments")
def note(order: str, cents: Annotated[int, AMOUNT_CENTS] = 5) -> str:
    """Note what an order cost."""
    PAID.append(cents)
    return f"{order}: {cents}"


def test_a_gated_function_goes_through_the_gate_that_it_is_called_within():
    with within(gate_of(parts_of(note))):
        assert note("a", cents=7) == {"status": "done", "result": "a: 7"}
        assert note(order="a") == {"status": "done", "result": "a: 5"}


def test_outside_of_a_gate_nothing_is_done():
    PAID.clear()
    assert (note("a")["status"], PAID) == ("denied", [])


def test_what_the_signature_does_not_name_is_denied_and_not_raised():
    PAID.clear()
    with within(gate_of(parts_of(note))):
        for answer in (note("a", more=1), note("a", 1, 2, 3), note(order="a", cents="7"), note()):
            assert (answer["status"], answer["stage"]) == ("denied", "validate") or "circles" in answer["reason"]
    assert PAID == []


def test_a_gated_function_is_a_tool_with_its_docstring():
    assert (note.tool.description, note.tool.owner) == ("Note what an order cost.", "payments")
