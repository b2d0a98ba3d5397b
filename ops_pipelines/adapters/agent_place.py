"""Whose a run, an approval or an effect is: the system of its release, and the environment in which it acts."""

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.run_log import Recording
from ops_pipelines.agentops.run_named import gate_runs
from ops_pipelines.agentops.run_state import where_started
from ops_pipelines.core.pointer import PRODUCTION


def system_of(platform: Platform, release: str, *, otherwise: str) -> str:
    """The system of a release by its whole digest, or another name where no release that is known here has it."""
    systems = platform.releases.systems()
    return next((system for system in systems if platform.release(system, release)), otherwise)


def environment_of(platform: Platform, *runs: str) -> str:
    """The environment in which a run acts, as its gates wrote it down; production where they were never asked.

    `runs` are what its gates call it.
    """
    decisions = (decision for run in runs for decision in platform.decisions.decisions(run))
    told = (decision.situation.get("environment", "") for decision in decisions)
    return next((str(environment) for environment in told if environment), PRODUCTION)


def environment_of_run(platform: Platform, recording: Recording) -> str:
    """The environment in which a run acts, as it noted where it began, or else as its gates wrote it down."""
    return where_started(recording) or environment_of(platform, *gate_runs(recording))
