"""`ops gateway`: an MCP server in front of other MCP servers, behind the tool gate."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from mcp.server import Server

    from ops_pipelines.apps.tool_gateway.admission import DoorRule

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("gateway")
def serve_gateway(
    config: Annotated[
        Path | None, typer.Argument(help="The YAML file that says whose calls go through, and to which servers.")
    ] = None,
    agent: Annotated[str, typer.Option(help="In place of a file: the tools of this agent's live release.")] = "",
    task: Annotated[str, typer.Option(help="With --agent: what its runs are about, in words that are trusted.")] = "",
    environment: Annotated[str, typer.Option(help="Whose pointer says which release is live.")] = "production",
    http: Annotated[int | None, typer.Option(help="A port of loopback to listen on; stdio without it.")] = None,
) -> None:
    """Put the tool gate in front of MCP servers: what they offer is judged, recorded and done at most once."""
    import asyncio

    from ops_pipelines.apps.tool_gateway.serving import serve

    opened, door = _opened(config, agent, task, environment)
    with suppress(KeyboardInterrupt):  # by Ctrl-C it has ended as it was told to
        asyncio.run(serve(opened, port=http, tell=_tell, door=door))


def _opened(
    config: Path | None, agent: str, task: str, environment: str
) -> "tuple[AbstractAsyncContextManager[Server[Any]], DoorRule]":
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.apps.tool_gateway.admission import DoorRule
    from ops_pipelines.core.errors import ConfigError

    if bool(config) == bool(agent):
        raise ConfigError("Whose tools are served is not said", expected="a file, or --agent", action="Say one of them")
    platform = Platform.embedded()
    if config:
        from ops_pipelines.apps.tool_gateway.config import read_config
        from ops_pipelines.apps.tool_gateway.serving import configured

        read = read_config(config)
        return configured(read, platform), read.door
    from ops_pipelines.adapters.agents import live_agent
    from ops_pipelines.apps.tool_gateway.released import released_server

    live = live_agent(platform, agent, environment=platform.project.checked_environment(environment))
    return released_server(live, task=task), DoorRule()


def _tell(url: str) -> None:
    print(f"{url} is where it listens; Ctrl-C ends it", file=sys.stderr, flush=True)  # stdout is the protocol's
