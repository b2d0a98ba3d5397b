"""A few weeks of the demo walked by Dagster's own daemon, in processes of its own: slower, and nothing of it is ours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.adapters.project import find_project
from ops_pipelines.cli.demo_walk import SYSTEM, Advance, end_of, key_of

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform

PATIENCE_SECONDS, LOOK_SECONDS = 900.0, 1.0
TICK_SECONDS = "5"


def walk_by_daemon(platform: "Platform", weeks: range, advance: Advance) -> None:
    """Move the clock to the end of each week and wait until the daemon has judged it and answered what was due."""
    with RealDaemon(platform.project.home) as daemon:
        for week in weeks:
            advance(f"week {week}, by Dagster's daemon", 1)
            platform.clock.set(end_of(week))
            daemon.wait_until(lambda week=week: _is_done(platform, week), f"week {week} was judged")


def _is_done(platform: "Platform", week: int) -> bool:
    """Whether a week's episodes are told, and each that was due has its challenger, shipped where it passed."""
    from ops_pipelines.components.model_retraining import stored_episodes
    from ops_pipelines.core.pointer import PRODUCTION
    from ops_pipelines.core.verdict import Passed
    from ops_pipelines.mlops.retraining import due

    key = key_of(week)
    told = platform.lake.good(f"{SYSTEM}/episodes", key)
    if told is None:
        return False
    if not due(stored_episodes(told)):
        return True
    made = platform.lake.latest(f"{SYSTEM}/checkpoint", key)
    if made is None:
        return False
    moves = platform.releases.history(SYSTEM, PRODUCTION)
    return not isinstance(made.verdict, Passed) or any(move.release == made.facts["release"] for move in moves)


class RealDaemon:
    """`dagster dev` with automation on, in a session of its own, ended with all that it started."""

    def __init__(self, home: Path) -> None:
        self.log = home / "dagster" / "daemon.log"

    def __enter__(self) -> "RealDaemon":
        environment = {**os.environ, "OPS_AUTOMATION": "on", "OPS_TICK_SECONDS": TICK_SECONDS}
        command = [Path(sys.executable).parent / "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=find_project().root,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                try:
                    self.process.wait(30)
                except subprocess.TimeoutExpired:
                    continue

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Looks once a second; DaemonError where the daemon ends, or nothing happens for a quarter of an hour."""
        from ops_pipelines.adapters.dagster_runs import DaemonError

        give_up = time.monotonic() + PATIENCE_SECONDS
        while not done():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > give_up:
                raise DaemonError(
                    f"Dagster's daemon {'ended' if ended else 'took too long'} before {what}",
                    expected=f"that within {PATIENCE_SECONDS:.0f} seconds",
                    action=f"Its output is in {self.log}",
                )
            time.sleep(LOOK_SECONDS)
