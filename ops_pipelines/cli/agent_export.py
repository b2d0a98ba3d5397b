"""`ops agent export`: copies of runs for MLflow's trace page, made beside the agents."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, DryRun

if TYPE_CHECKING:
    from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
    from ops_pipelines.adapters.trace_destinations import Destination


def export(
    to: Annotated[
        str, typer.Option(help="A server of MLflow, such as http://127.0.0.1:5000; the home's own MLflow without.")
    ] = "",
    otlp: Annotated[str, typer.Option(help="Any other URL that takes OTLP over HTTP, with its path.")] = "",
    follow: Annotated[bool, typer.Option(help="Go on with what comes, until Ctrl-C.")] = False,
    every_seconds: Annotated[float, typer.Option(help="How often to look while following.", min=0.1)] = 5.0,
    again: Annotated[bool, typer.Option(help="Also send the runs once more that were refused before.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send what came into the run log since the last time to MLflow, or to whatever takes OTLP; exit 3 where it is away."""
    from ops_pipelines.adapters.mlflow_traces import following, send_again, waiting
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.trace_cursor import cursor_of

    platform = Platform.embedded()
    log, cursor = platform.runs, cursor_of(platform.project.home, to or otlp)
    destination = _destination(to, otlp, platform.registry)
    if dry_run:
        _tell({"waiting": waiting(log, cursor)}, as_json=as_json)
        return
    if again:
        _tell({"again": send_again(log, cursor, destination)}, as_json=as_json)
    with suppress(KeyboardInterrupt):  # by Ctrl-C following has ended as it was told to
        for exported in following(log, cursor, destination, every_seconds=every_seconds if follow else None):
            _tell(exported.to_json(), as_json=as_json)
            if exported.problem and not follow:
                raise typer.Exit(3)


def _destination(to: str, otlp: str, registry: "MLflowRegistry") -> "Destination":
    from ops_pipelines.adapters.trace_destinations import MLflowHome, MLflowServer, OtlpEndpoint

    if to and otlp:
        raise typer.BadParameter("--to and --otlp are two destinations: run this once for each")
    if to:
        return MLflowServer(to)
    return OtlpEndpoint(otlp) if otlp else MLflowHome(registry)


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(told), flush=True)
        return
    print(_said(told), flush=True)


def _said(told: dict[str, Any]) -> str:
    if "waiting" in told:
        return f"steps that wait to be sent: {told['waiting']:,}"
    if "again" in told:
        return f"refused runs that were taken now: {told['again']:,}"
    if told["problem"]:
        return f"nothing was sent: {told['problem']}"
    refused = [f"  {run} was refused: {why}" for run, why in told["refused"].items()]
    return "\n".join([f"new steps sent: {told['steps']:,}, of {told['runs']:,} runs", *refused])
