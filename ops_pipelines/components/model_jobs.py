"""Promote and roll back from Dagster's launchpad: the same two functions that `ops promote` and `ops rollback` call."""

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.pointer import PRODUCTION


class PromoteConfig(dg.Config):
    """Which release, by the first digits of its digest, why, and where."""

    release: str
    reason: str
    environment: str = PRODUCTION


class RollbackConfig(dg.Config):
    """Why, to which release (the one before the present one where none is named), and where."""

    reason: str
    release: str | None = None
    environment: str = PRODUCTION


def pointer_jobs(system: str) -> list[dg.JobDefinition]:
    """The jobs `promote_<system>` and `rollback_<system>`."""

    @dg.op(name=f"promote_{system}_release")
    def promote(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform], config: PromoteConfig) -> None:
        run, where = f"run {context.run_id}", config.environment
        shipped = platform.promote(system, config.release, actor=run, reason=config.reason, environment=where)
        context.log.info(f"live: {short(shipped.move.release)}" if shipped.move else "it is live already")

    @dg.op(name=f"roll_{system}_back")
    def roll_back(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform], config: RollbackConfig) -> None:
        run, where = f"run {context.run_id}", config.environment
        shipped = platform.roll_back(system, config.release, actor=run, reason=config.reason, environment=where)
        context.log.info(f"live: {short(shipped.move.release)}" if shipped.move else "nothing moved")

    @dg.job(name=f"promote_{system}", description=f"Make a release of {system} live, through its gate.")
    def promotion() -> None:
        promote()

    @dg.job(name=f"rollback_{system}", description=f"Put an earlier release of {system} back.")
    def rollback() -> None:
        roll_back()

    return [promotion, rollback]
