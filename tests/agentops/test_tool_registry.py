import pytest

from ops_pipelines.agentops.tool_registry import EFFECTS, EGRESS, READ, WRITE, Tool, ToolRegistry
from ops_pipelines.core.errors import ConfigError

SCHEMA = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "minLength": 1},
        "rows": {"type": "integer"},
        "to": {"type": "object", "properties": {"city": {"type": "string"}}},
        "on": {"type": "string", "format": "date"},
    },
    "required": ["order"],
}


def tool(name: str = "ship", effect: str = WRITE, **facts) -> Tool:
    return Tool(name, facts.pop("schema", SCHEMA), effect, **facts)


@pytest.mark.parametrize(
    "arguments",
    [
        {"order": "a"},
        {"order": "a", "rows": 5},
        {"order": "a", "to": {"city": "Bern"}},
        {"order": "a", "on": "2013-01-01"},
    ],
)
def test_a_call_that_the_schema_names_is_let_through(arguments):
    assert tool().problems(arguments) == ()


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({}, '"order" is a required property'),
        ({"order": 5}, "/order"),
        ({"order": "a", "rows": "5"}, "/rows"),
        ({"order": "a", "rows": 5.0}, "/rows"),
        ({"order": "a", "rows": True}, "/rows"),
        ({"order": "a", "rows": None}, "/rows"),
        ({"order": "a", "more": 1}, "'more' was unexpected"),
        ({"order": "a", "to": {"city": "Bern", "street": "x"}}, "/to: "),
        ({"order": "a", "on": "tomorrow"}, "/on"),
        (["a"], "is not of type"),
    ],
)
def test_nothing_is_converted_and_no_further_key_is_let_through(arguments, where):
    (problem,) = tool().problems(arguments)
    assert where in problem


def test_an_object_that_says_what_further_keys_hold_keeps_what_it_says():
    labels = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}
    one = tool(schema={"type": "object", "properties": {"labels": labels}})
    assert one.problems({"labels": {"a": "x", "b": "y"}}) == ()
    assert one.problems({"labels": {"b": 1}}) != ()


def test_properties_that_are_named_in_several_places_are_closed_as_a_whole():
    either = {"properties": {"b": {"type": "string"}}}
    one = tool(schema={"type": "object", "properties": {"a": {"type": "string"}}, "allOf": [either]})
    assert one.problems({"a": "x", "b": "y"}) == ()
    assert one.problems({"a": "x", "c": "y"}) != ()


def test_a_value_of_an_enumeration_that_looks_like_a_schema_is_left_as_it_is():
    odd = {"properties": {"x": 1}}
    one = tool(schema={"type": "object", "properties": {"a": {"enum": [odd]}}})
    assert one.problems({"a": odd}) == ()


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "dict"},
        {"type": "string"},
        {},
        {"type": "object", "properties": {"a": {"type": "dict"}}},
        {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/a.json"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/absent"}}},
    ],
)
def test_a_schema_that_cannot_judge_is_refused_when_the_tool_is_declared(schema):
    with pytest.raises(ConfigError, match="cannot judge"):
        tool(schema=schema)


def test_an_effect_that_nobody_knows_is_refused_with_a_near_miss():
    with pytest.raises(ConfigError, match="Did you mean 'write'"):
        tool(effect="writes")


def test_what_strangers_wrote_cannot_be_declared_as_trusted():
    with pytest.raises(ConfigError, match="strangers"):
        tool(effect=EGRESS, trusted=True)


def test_only_a_read_has_no_effect():
    assert [effect for effect in EFFECTS if not tool(effect=effect).has_effect] == [READ]


def test_an_unknown_tool_is_refused_and_a_name_matches_exactly():
    registry = ToolRegistry([tool("bash")])
    assert registry.get("bash_admin") is None
    assert "there is no tool 'bash_admin'" in registry.problems("bash_admin", {"order": "a"})[0]


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="Two tools"):
        ToolRegistry([tool(), tool(version="2")])


def test_the_digest_moves_with_a_tool_and_not_with_the_order():
    one, two = tool("a"), tool("b")
    assert ToolRegistry([one, two]).digest == ToolRegistry([two, one]).digest
    others = [tool("b", version="2"), tool("b", READ), tool("b", trusted=True), tool("b", schema={"type": "object"})]
    assert len({ToolRegistry([one, other]).digest for other in [two, *others]}) == 5


def test_an_object_within_that_names_nothing_may_hold_anything_and_a_tool_that_names_nothing_takes_nothing():
    one = tool(schema={"type": "object", "properties": {"data": {"type": "object", "properties": {}}}})
    assert one.problems({"data": {"a": 1}}) == ()
    assert tool(schema={"type": "object", "properties": {}}).problems({"a": 1}) != ()


@pytest.mark.parametrize("pin", ["12345678", 12345678, 'a "quoted" one', ["12345678", "two"], {"old": "12345678"}])
def test_what_is_wrong_with_a_secret_is_told_without_it(pin):
    schema = {"type": "object", "properties": {"pin": {"type": "string", "maxLength": 4}}, "maxProperties": 1}
    login = tool(schema=schema)
    for given in ({"pin": pin}, {"pin": pin, "to": "bob"}):
        told = "; ".join(login.problems(given))
        assert ("***" in told, [word for word in ("12345678", "quoted", "two") if word in told]) == (True, [])
