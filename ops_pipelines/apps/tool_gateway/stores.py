"""Where a gateway of a home records its runs."""

from dataclasses import replace

from ops_pipelines.adapters.agents import writer_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.joined_runs import RunLogged


def logged_in(platform: Platform) -> RunLogged:
    """The run log of a home. What only reads is kept so that it survives the process, and not a power cut."""
    writer = writer_of(platform)
    light = SQLiteRunLog(platform.project.home / "log" / "runs.db", durable=False)
    return RunLogged(writer, platform.runs.steps, replace(writer, keep=light.append))
