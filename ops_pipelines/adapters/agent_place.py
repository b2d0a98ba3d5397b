"""Whose a run, an approval or an effect is: the system of its release, and the environment in which it acts."""

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.pointer import PRODUCTION


def system_of(platform: Platform, release: str, *, otherwise: str) -> str:
    """The system of a release by its whole digest, or another name where no release that is known here has it."""
    systems = platform.releases.systems()
    return next((system for system in systems if platform.release(system, release)), otherwise)


def environment_of(platform: Platform, run: str) -> str:
    """The environment in which a run acts, as its gate wrote it down; production for one whose gate was never asked."""
    told = (decision.situation.get("environment", "") for decision in platform.decisions.decisions(run))
    return next((str(environment) for environment in told if environment), PRODUCTION)
