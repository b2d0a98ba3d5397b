"""What the rows of the demo's chapter `agent` are told with."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

from ops_pipelines.cli.demo_walk import AGENT

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.adapters.platform import Platform

Row = dict[str, str]


def row(what: str, outcome: str, where: str) -> Row:
    """One row of the chapter."""
    return {"what": what, "outcome": outcome, "where to look": where}


def opened(platform: "Platform") -> "OpenAgent":
    from ops_pipelines.adapters.agents import live_agent

    return live_agent(platform, AGENT)


@contextmanager
def quiet() -> Iterator[None]:
    """What people are told on standard output is no row of the demo."""
    with redirect_stdout(StringIO()):
        yield
