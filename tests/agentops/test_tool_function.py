from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import Field

from ops_pipelines.agentops.tool_function import tool_of
from ops_pipelines.agentops.tool_registry import WRITE
from ops_pipelines.core.errors import ConfigError


def ship(order: str, on: date, rows: Annotated[int, Field(ge=1)] = 1, *, how: Literal["air", "sea"] = "sea") -> str:
    """Send an order on its way."""
    return f"{order} on {on:%d %B} by {how}, {rows}"


SHIP = tool_of(ship, effect=WRITE, owner="depot")


def test_a_function_becomes_a_tool_with_its_name_docstring_and_signature():
    assert (SHIP.tool.name, SHIP.tool.description, SHIP.tool.owner) == ("ship", "Send an order on its way.", "depot")
    assert SHIP.tool.problems({"order": "a", "on": "2013-01-01"}) == ()


@pytest.mark.parametrize("more", [{"rows": 0}, {"rows": "1"}, {"how": "road"}, {"by": "me"}, {"on": "soon"}])
def test_what_the_signature_does_not_name_is_refused(more):
    assert SHIP.tool.problems({"order": "a", "on": "2013-01-01", **more}) != ()


def test_the_function_is_given_the_types_that_it_asks_for():
    assert SHIP({"order": "a", "on": "2013-01-01", "how": "air"}) == "a on 01 January by air, 1"


def untyped(order):
    return order


def several(*orders: str) -> None: ...


def anything(**orders: str) -> None: ...


def in_order(order: str, /) -> None: ...


def of_no_json(order: Callable[[], None]) -> None: ...


@pytest.mark.parametrize("function", [untyped, several, anything, in_order, of_no_json])
def test_a_signature_that_says_too_little_is_refused(function):
    with pytest.raises(ConfigError, match="cannot be a tool"):
        tool_of(function, effect=WRITE)
