"""`ops serve`: the releases that the pointers name, answering over HTTP."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("serve")
def serve_releases(
    systems: Annotated[list[str] | None, typer.Argument(help="The Models to serve; all with a live release.")] = None,
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8080,
    host: Annotated[
        str, typer.Option(help="The address to listen on; another than loopback needs --tokens.")
    ] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="How many processes answer.")] = 1,
    environment: Annotated[str, typer.Option(help="Whose pointer is followed.")] = "production",
    allow_host: Annotated[list[str] | None, typer.Option(help="A Host header to answer beside loopback's.")] = None,
    features: Annotated[bool, typer.Option(help="Look features up by entity keys, at /v1/predict.")] = True,
    tokens: Annotated[bool, typer.Option(help="Answer callers with a token of the role `caller` only.")] = False,
) -> None:
    """Serve the live release of every Model: the Open Inference Protocol, and JSON by entity keys."""
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.apps.model_server.server import serve
    from ops_pipelines.apps.model_server.settings import Settings

    settings = Settings(
        systems=_known(systems or ()),
        environment=find_project().checked_environment(environment),
        host=host,
        port=port,
        workers=workers,
        hosts=tuple(allow_host or ()),
        features=features,
        tokens=tokens,
    )
    with suppress(KeyboardInterrupt):  # by Ctrl-C it has ended as it was told to
        serve(settings, listens=lambda: _tell_where(host, port))


def _tell_where(host: str, port: int) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print(f"{url}/v2/health/ready says when it answers, /openapi.json what it takes; Ctrl-C ends it", flush=True)


def _known(systems: Sequence[str]) -> tuple[str, ...]:
    """The systems, each of which has a release; ConfigError with the nearest one otherwise."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.errors import ConfigError, near_miss

    known = Platform.embedded().releases.systems() if systems else ()
    for system in systems:
        if system not in known:
            raise ConfigError(
                f"{system!r} has no release to serve",
                expected="a Model that was trained",
                action=near_miss(system, known),
            )
    return tuple(systems)
