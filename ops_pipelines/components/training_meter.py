"""Writes into the retraining log that a run which answers a request has begun a step, and what the step cost."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.mlops.retraining_log import TrainingStep

ANSWERS = "ops/retraining"
"""The tag by which a run names the row of the retraining log that it answers."""


@contextmanager
def metered(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[None]:
    """The CPU seconds of a block, with all threads and ended child processes, on the account of the run's request.

    A block that raises has its cost written, too; of a process that is killed the begin alone remains, and its cost is
    unknown. A run that answers no request writes nothing.
    """
    request = context.run.tags.get(ANSWERS)
    if request is None:
        yield
        return
    system, part = context.asset_key.path

    def step(cpu_seconds: float | None = None, *, is_good: bool = False) -> TrainingStep:
        at = platform.clock.wall()
        return TrainingStep(request, system, context.run.run_id, part, at, cpu_seconds, is_good=is_good)

    platform.retraining.spend(step())
    began, is_good = _cpu_seconds(), False
    try:
        yield
        is_good = True
    finally:
        platform.retraining.spend(step(round(_cpu_seconds() - began, 3), is_good=is_good))


def _cpu_seconds() -> float:
    """What this process and the children that it has waited for took so far."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system
