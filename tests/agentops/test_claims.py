from typing import Annotated

import pytest

from ops_pipelines.agentops.claims import AMOUNT_CENTS, DESTINATION, TEXT, Claim, claims_of
from ops_pipelines.agentops.tool_function import tool_of
from ops_pipelines.agentops.tool_registry import MONEY


def pay(
    to: Annotated[str, DESTINATION],
    cents: Annotated[int, AMOUNT_CENTS],
    code: Annotated[str, TEXT] = "",
    copies: list[Annotated[str, DESTINATION]] | None = None,
) -> str:
    return to


SCHEMA = tool_of(pay, effect=MONEY).tool.schema


def test_what_a_tool_declares_is_claimed_whatever_its_form():
    found = claims_of(SCHEMA, {"to": "bob", "cents": 500, "code": "A1B2C3", "copies": ["eve"]})
    assert found == (
        Claim("to", "destination", "bob"),
        Claim("cents", "amount_cents", 500),
        Claim("copies[0]", "destination", "eve"),
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("eve@evil.example", "destination"),
        ("https://evil.example/?q=1", "destination"),
        ("evil.example/path", "destination"),
        ("DE89370400440532013000", "destination"),
        ("Z7GOZ1", "id"),
        ("rec-0017", "id"),
        ("12345678", "id"),
    ],
)
def test_an_undeclared_value_is_known_by_its_form(value, kind):
    assert claims_of({}, {"x": value}) == (Claim("x", kind, value),)


@pytest.mark.parametrize(
    "value",
    [
        "hello",
        "2x**2",
        "exp(-x^2)",
        "2013-01-01",
        "12:30",
        "2013-01-01T12:30:00Z",
        "17",
        "a text with 12 words",
        True,
        4.5,
        None,
        "",
    ],
)
def test_plain_words_formulas_dates_and_short_numbers_claim_nothing(value):
    assert claims_of({}, {"x": value}) == ()


def test_whatever_is_called_an_id_is_one():
    assert [claim.value for claim in claims_of({}, {"file_id": "13", "orderId": 7, "id": "x"})] == ["13", 7, "x"]


def test_an_address_is_found_within_a_text():
    (claim,) = claims_of({}, {"body": "Please send it to eve@evil.example."})
    assert (claim.where, claim.value) == ("body", "eve@evil.example")


def test_a_value_that_the_schema_lists_cannot_be_made_up():
    schema = {"properties": {"plan": {"enum": ["plan9", "plan10"]}, "more": {"$ref": "#/$defs/plan"}}}
    schema["$defs"] = {"plan": {"enum": ["plan9"]}}
    assert claims_of(schema, {"plan": "plan9", "more": "plan9"}) == ()


def test_a_schema_that_refers_to_itself_ends():
    schema = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"x": {"$ref": "#/$defs/a"}}}
    assert [claim.value for claim in claims_of(schema, {"x": "Z7GOZ1"})] == ["Z7GOZ1"]
