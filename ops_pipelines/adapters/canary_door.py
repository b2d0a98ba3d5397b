"""The door by which a canary begins and ends: for a person, for the asset that judges it, and for a program.

    canary = begin_canary(platform, "flight_delay", "0f3a", share=0.1, actor="ann", reason="its gate could not tell")
    end_canary(platform, canary, actor="ann", reason="seen enough", verdict=NotEvaluated("cannot tell yet"))

Neither moves the pointer.
"""

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core import principal
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import find_release
from ops_pipelines.core.verdict import NotEvaluated, Verdict
from ops_pipelines.mlops import canary_start
from ops_pipelines.mlops.canary import Canary, Ending, check_begins, still_runs

MOVED = "the pointer has moved since it began"


def plan_canary(
    platform: Platform,
    system: str,
    digest: str,
    *,
    share: float,
    actor: str,
    reason: str,
    environment: str = PRODUCTION,
) -> Canary:
    """The canary that `begin_canary` would begin; nothing is written.

    Raises NotAllowed where the token may not, NotPromotable with the reasons where the release may not meet callers,
    ReleaseError where another canary runs or nothing else is live, and ConfigError for a share that is none.
    """
    canary = canary_start.plan_canary(
        find_release(platform.releases, system, digest),
        platform.decision(principal.CANARY, system, actor, reason, environment),
        live=platform.live(environment, system),
        share=share,
        resolves=platform.resolves,
        preflight=platform.works_here,
    )
    check_begins(canary, running_canary(platform, system, environment))
    return canary


def begin_canary(
    platform: Platform,
    system: str,
    digest: str,
    *,
    share: float,
    actor: str,
    reason: str,
    environment: str = PRODUCTION,
) -> Canary:
    """Let a release answer a share of the requests; raises as `plan_canary` does.

    One that stands there still although the pointer has moved is ended first.
    """
    told = {"share": share, "actor": actor, "reason": reason, "environment": environment}
    canary = plan_canary(platform, system, digest, **told)
    if over := platform.canaries.running(system, environment):
        end_canary(platform, over, actor=actor, reason=MOVED, verdict=NotEvaluated(MOVED))
    platform.canaries.begin(canary)
    return canary


def end_canary(platform: Platform, canary: Canary, *, actor: str, reason: str, verdict: Verdict) -> Ending:
    """Take a canary back; ReleaseError where it does not run."""
    ending = Ending(
        system=canary.system,
        environment=canary.environment,
        candidate=canary.candidate,
        actor=actor,
        reason=reason,
        verdict=verdict,
        as_of=platform.clock.as_of(),
        at=platform.clock.wall(),
    )
    platform.canaries.end(ending)
    return ending


def running_canary(platform: Platform, system: str, environment: str = PRODUCTION) -> Canary | None:
    """The canary that runs beside the live release; None for one whose champion is live no more."""
    canary = platform.canaries.running(system, environment)
    return canary if canary and still_runs(canary, platform.live(environment, system)) else None


def the_running_canary(platform: Platform, system: str, environment: str = PRODUCTION) -> Canary:
    """The canary that was begun and not ended, whether the pointer has moved or not; ReleaseError for none."""
    canary = platform.canaries.running(system, environment)
    if canary is None:
        raise ReleaseError(
            f"No canary of {system!r} runs in {environment!r}",
            expected="one that was begun and not ended",
            action=f"`ops canary status {system}` shows those that ended",
            system=system,
        )
    return canary
