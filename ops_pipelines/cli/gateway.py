"""`ops gateway`: an MCP server in front of other MCP servers, behind the tool gate."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("gateway")
def serve_gateway(
    config: Annotated[
        Path, typer.Argument(help="The YAML file that says whose calls go through, and to which servers.")
    ],
    http: Annotated[int | None, typer.Option(help="A port of loopback to listen on; stdio without it.")] = None,
) -> None:
    """Put the tool gate in front of MCP servers: what they offer is judged, recorded and done at most once."""
    import asyncio

    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.apps.tool_gateway.config import read_config
    from ops_pipelines.apps.tool_gateway.serving import serve

    read = read_config(config)
    with suppress(KeyboardInterrupt):  # by Ctrl-C it has ended as it was told to
        asyncio.run(serve(read, Platform.embedded(), port=http, tell=_tell))


def _tell(url: str) -> None:
    print(f"{url} is where it listens; Ctrl-C ends it", file=sys.stderr, flush=True)  # stdout is the protocol's
