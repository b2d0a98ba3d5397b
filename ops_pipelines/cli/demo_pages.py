"""The end of the demo's chapter `agent`: what its runs left stands where people look, in Dagster's UI and in MLflow's."""

from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.cli.demo_stage import Row, quiet, row
from ops_pipelines.cli.demo_walk import AGENT, LOCATIONS

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform

APPROVALS = "approvals"
"""The asset and the sensor that tell people of what waits for them."""


def tell_pages(home: Path, platform: "Platform") -> list[Row]:
    """What waits is shown as it is now, the day's runs are made assets, and their traces are copied to MLflow."""
    day = f"{platform.clock.wall():%Y-%m-%d}"
    with quiet():
        _made(home, day)
    where = f"asset {AGENT}/runs; MLflow, experiment agents, Traces"
    return [row(f"the runs of {day} are on the pages", _copied(platform), where)]


def _made(home: Path, day: str) -> None:
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon

    with InProcessDaemon(home / "dagster", LOCATIONS) as daemon:
        daemon.start_sensors("agentops", APPROVALS)
        daemon.tick_sensors(APPROVALS)
        daemon.run_job("agentops", "compact_agent_runs", partition_key=day)


def _copied(platform: "Platform") -> str:
    from ops_pipelines.adapters.mlflow_traces import export_new
    from ops_pipelines.adapters.trace_cursor import cursor_of
    from ops_pipelines.adapters.trace_destinations import MLflowHome

    cursor = cursor_of(platform.project.home, "")
    sent = export_new(platform.runs, cursor, MLflowHome(platform.registry))
    return sent.problem or f"a row each in Dagster, and the traces of {sent.runs} in MLflow, for which no agent waited"
