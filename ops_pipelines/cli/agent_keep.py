"""`ops agent keep`: a run as a file beside the code, against which every release of its agent is held."""

from pathlib import Path
from typing import Annotated

import typer

from ops_pipelines.cli.agent_names import RunId
from ops_pipelines.cli.output import AsJson, DryRun, show


def keep(
    run: RunId,
    to: Annotated[Path | None, typer.Option(help="The folder; evals/agents/AGENT/runs/ without.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a run that has ended to a file, redacted, which a clean clone replays: `AGENT/replays` reads it."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.recorded_runs import file_of, keep_run
    from ops_pipelines.agentops.run_named import run_named

    platform = Platform.embedded()
    whole = run_named(platform.runs, run)
    file = file_of(platform, whole, to) if dry_run else keep_run(platform, whole, to)
    if as_json:
        show([{"run": whole, "file": str(file), "written": not dry_run}], as_json=True)
        return
    agent = platform.runs.steps(whole)[0].agent
    print(f"{whole[:12]} {'would be' if dry_run else 'is'} kept in {file}")
    print(f"  hold the code against it:  ops agent regress {agent}")
