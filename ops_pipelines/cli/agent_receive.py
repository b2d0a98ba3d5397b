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
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.adapters.secret_scan import find_secrets
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
    from ops_pipelines.agentops.redaction import Redactor
    from ops_pipelines.apps.trace_receiver import PATH, ReceiverSettings, TraceReceiver, serve_traces

    home = find_project().home
    home.mkdir(parents=True, exist_ok=True)
    log = SQLiteRunLog(home / "log" / "runs.db")
    settings = ReceiverSettings(port=port, most_bytes=most_megabytes << 20)
    url = f"http://{settings.host}:{port}{PATH}"
    with suppress(KeyboardInterrupt):  # by Ctrl-C it has ended as it was told to
        serve_traces(
            TraceReceiver(log.append, Redactor(find_secrets), settings),
            listens=lambda: print(f"{url} takes spans; Ctrl-C ends it", flush=True),
        )
