from typing import Annotated

import pytest

from ops_pipelines.agentops.call_facts import cents_of, plain_arguments
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


@pytest.mark.parametrize("to", ["eve@evil.example", "evil.example", "DE89370400440532013000"])
def test_a_destination_that_stands_as_a_key_is_claimed_too(to):
    assert claims_of({}, {"pay": {to: 500}}) == (Claim(f"pay.{to}", "destination", to),)


def test_a_key_that_the_schema_names_claims_nothing_and_one_that_it_leaves_open_what_it_declares():
    schema = {"properties": {"x1.org": {"propertyNames": {"x-kind": "id"}}}}
    assert claims_of(schema, {"x1.org": {"bob": "hello"}}) == (Claim("x1.org.bob", "id", "bob"),)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("to", "DE89370400440532013000 "), ("to", "\nevil.example"), ("order_id", "A17 "), ("code", " rec-0017")],
)
def test_space_around_a_value_hides_nothing(argument, value):
    assert [claim.value for claim in claims_of({}, {argument: value})] == [value.strip()]


@pytest.mark.parametrize("value", ["GB82 WEST 1234 5698 7654 32", "203.0.113.7", "203.0.113.7:8080/x"])
def test_an_account_in_groups_and_the_number_of_a_machine_are_destinations(value):
    assert claims_of({}, {"x": value}) == (Claim("x", "destination", value),)


@pytest.mark.parametrize("text", ["a" * 300_000, "1" * 300_000 + "!", "a.-" * 100_000])
def test_a_long_argument_is_read_in_one_pass(text):
    assert claims_of({}, {"body": text + " "}) == claims_of({}, {"body": text})


@pytest.mark.parametrize(("amounts", "cents"), [([100_000, -99_900], -99_900), ([100, 1], 101), ([], None)])
def test_an_amount_below_zero_does_not_hide_the_others(amounts, cents):
    assert cents_of([Claim("x", "amount_cents", amount) for amount in amounts]) == cents


def test_a_policy_is_told_of_every_plain_argument():
    told = plain_arguments({**{f"a{number}": number for number in range(100)}, "mode": "force"})
    assert len(told) == 101
    assert "mode=force" in told
