"""`ops agent receive`: takes traces of agents in any framework into the run log."""

from contextlib import suppress
from typing import Annotated

import typer


def receive(
    port: Annotated[int, typer.Option(help="Where to listen; exporters of OpenTelemetry send to 4318.")] = 4318,
    most_megabytes: Annotated[
        int, typer.Option(help="The largest request that is taken, as it is sent and unpacked.", min=1, max=256)
    ] = 16,
) -> None:
    """Take spans over OTLP (HTTP, protobuf or JSON) into the run log: redacted, and on the disk before they are answered."""
    from ops_pipelines.adapters.agents import foreign_writer_of
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.apps.trace_receiver import PATH, ReceiverSettings, TraceReceiver, serve_traces

    platform = Platform.embedded()
    platform.project.home.mkdir(parents=True, exist_ok=True)
    settings = ReceiverSettings(port=port, most_bytes=most_megabytes << 20)
    url = f"http://{settings.host}:{port}{PATH}"
    with suppress(KeyboardInterrupt):  # by Ctrl-C it has ended as it was told to
        serve_traces(
            TraceReceiver(foreign_writer_of(platform), settings),
            listens=lambda: print(f"{url} takes spans; Ctrl-C ends it", flush=True),
        )
