"""The demo's walk through the year: the platform's clock moves, and Dagster's daemon ticks after it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.dagster_runs import RunResult, TickResult
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.cli.demo_load import UnderLoad

SYSTEM, AGENT = "flight_delay", "oncall"
YEAR = datetime(2013, 1, 1, tzinfo=UTC)
LOCATIONS = {name: f"ops_pipelines.locations.{name}" for name in ("mlops", "llmops", "agentops")}
WINTER, LAST, YEARS_LAST = 10, 28, 51
BY_DAEMON = range(15, 18)
"""The weeks in which the first episode opens and ends: the ones that Dagster's own daemon walks when it is asked to."""
ASKED = 50
"""The December week in which a person asks for a retraining, in the full year."""

_INTERRUPTED = "interrupted"
"""What Dagster's and a library's words for Ctrl-C have in common: that is no fault of a run."""

Advance = Callable[[str, int], None]


@dataclass(slots=True)
class Walked:
    """What the walk did that is not written in the platform: the rollback, and the score that stayed the same."""

    platform: "Platform"
    last: int
    rolled_back: dict[str, str] = field(default_factory=dict)
    rescored: str = ""
    under_load: "UnderLoad | None" = None
    by_daemon: Sequence[int] = ()


def walk(home: Path, advance: Advance, *, full: bool, by_daemon: bool) -> Walked:
    """Winter in one go, the weeks after it one by one, and a rollback at the end."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    walked = Walked(platform, YEARS_LAST if full else LAST)
    for weeks, walker in _stretches(walked.last, by_daemon=by_daemon):
        if walker == "daemon":
            from ops_pipelines.cli.demo_daemon import walk_by_daemon

            walk_by_daemon(platform, weeks, advance)
            walked.by_daemon = weeks
        else:
            _walk_in_process(home, walked, weeks, advance)
    return walked


def _stretches(last: int, *, by_daemon: bool) -> list[tuple[range, str]]:
    """Which weeks are walked by whom."""
    if not by_daemon:
        return [(range(WINTER, last + 1), "in process")]
    return [
        (range(WINTER, BY_DAEMON.start), "in process"),
        (BY_DAEMON, "daemon"),
        (range(BY_DAEMON.stop, last + 1), "in process"),
    ]


def _walk_in_process(home: Path, walked: Walked, weeks: range, advance: Advance) -> None:
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon

    with InProcessDaemon(home / "dagster", LOCATIONS) as daemon:
        walker = Walker(walked.platform, daemon, advance)
        walker.begin()
        if weeks.start == WINTER:
            walker.live_through_winter()
        for week in weeks:
            walker.live_through(week)
        if weeks.stop > walked.last:
            walker.end(walked)


@dataclass(frozen=True, slots=True)
class Walker:
    """Moves the clock and ticks the sensors that have something to do, in the order in which a week goes by."""

    platform: "Platform"
    daemon: "InProcessDaemon"
    advance: Advance

    def begin(self) -> None:
        """The first ticks only take a baseline, and automation applies the feature definitions."""
        fresh = not self.platform.clock.is_replayed()
        if fresh:
            self.platform.clock.set(YEAR)
        self.daemon.start_sensors()
        if fresh:
            self.advance("starting", 1)
            self._tick()
            self._settle()

    def live_through_winter(self) -> None:
        """Ten weeks arrive at once, features follow, and the first release is trained on them and goes live."""
        self.platform.clock.set(end_of(WINTER - 1))
        self.advance("winter arrives", 1)
        for _ in range(WINTER):
            self._tick("arrivals")
        self.advance("winter's features", 2)
        self._settle()
        self.advance("the first release is trained", 2)
        self.daemon.run_job("mlops", f"train_{SYSTEM}", partition_key=key_of(WINTER - 1))
        self._settle()

    def live_through(self, week: int) -> None:
        """A week arrives, is scored by the release that was live when it began, and is judged; what is due is trained."""
        self.advance(f"week {week}", 1)
        self.platform.clock.set(end_of(week))
        self._tick("arrivals")
        self._automate()
        self._tick(f"score_{SYSTEM}")
        if week == ASKED:
            self._ask()
        self._tick(f"watch_{SYSTEM}", f"retrain_{SYSTEM}", "alarms", f"report_{SYSTEM}")
        # The quiet tick after which automation sees the next week's data; and it ships what was trained.
        self._automate()

    def end(self, walked: Walked) -> None:
        """The last promotion is taken back through the job of the UI's launchpad, while a server answers by it.

        An old week keeps its scores.
        """
        from ops_pipelines.cli.demo_load import under_load

        self.advance("rollback under load", 1)
        before, key, week = self._live(), f"{SYSTEM}/predictions", key_of(walked.last)
        walked.under_load = under_load(self.platform, SYSTEM, week, lambda: self._roll_back(walked))
        walked.rolled_back |= {"from": before, "to": self._live()}
        scored = self.platform.lake.accepted(key, week)
        self.daemon.run_job("mlops", f"score_{SYSTEM}", partition_key=week)
        same = self.platform.lake.accepted(key, week).digest == scored.digest
        walked.rescored = "the same scores, by the release of that week" if same else "OTHER SCORES THAN BEFORE"

    def _roll_back(self, walked: Walked) -> None:
        began = time.monotonic()
        reason = {"config": {"reason": "the demo takes its last promotion back"}}
        run = self.daemon.run_job("mlops", f"rollback_{SYSTEM}", run_config={"ops": {f"roll_{SYSTEM}_back": reason}})
        walked.rolled_back = {"seconds": f"{time.monotonic() - began:.1f}", "run": run.run_id[:8]}

    def _ask(self) -> None:
        """What an operator or an agent does: a row in the retraining log, which the sensor consumes."""
        from ops_pipelines.mlops.retraining_log import Request

        platform = self.platform
        now = platform.clock.as_of()
        key = f"{SYSTEM}/request/{now:%Y-%m-%d}"
        reason = "the winter holidays look different"
        platform.retraining.ask(Request(key, SYSTEM, key_of(ASKED), now, reason, "a person", platform.clock.wall()))

    def _tick(self, *names: str) -> None:
        check(self.daemon.tick_sensors(*names))

    def _automate(self) -> None:
        check(self.daemon.tick_automation())

    def _settle(self) -> None:
        check(self.daemon.settle_automation())

    def _live(self) -> str:
        from ops_pipelines.core.pointer import PRODUCTION, live_move

        move = live_move(self.platform.releases.history(SYSTEM, PRODUCTION))
        return move.release[:12] if move else ""


def check(ticks: "list[TickResult]") -> None:
    """The demo goes on only while every tick and run that it did not expect to fail succeeds.

    A run that trained a challenger which the gate refuses fails, and is meant to; a report is drawn beside the walk. An
    agent is refused until all that it operates is live, and the chapter about it releases it then.
    """
    from ops_pipelines.adapters.dagster_runs import DaemonError

    own = (f"train_{SYSTEM}", f"report_{SYSTEM}")
    runs: list[RunResult] = [
        run for tick in ticks for run in tick.runs if run.job not in own and not _is_of(AGENT, run)
    ]
    problems = [f"sensor {tick.sensor}: {tick.error}" for tick in ticks if tick.error]
    problems += [f"run {run.run_id[:8]} of {run.job}: {run.error}" for run in runs if run.status != "SUCCESS"]
    if any(_INTERRUPTED in problem.lower() for problem in problems):
        raise KeyboardInterrupt
    if problems:
        raise DaemonError(
            f"The demo stopped: {'; '.join(problems)}",
            expected="every tick and run of the demo to succeed",
            action="`make ui` shows the failed run; `ops doctor` what is missing",
        )


def _is_of(system: str, run: "RunResult") -> bool:
    """Whether a run made nothing but parts of a system."""
    return bool(run.assets) and all(asset.partition("/")[0] == system for asset in run.assets)


def end_of(week: int) -> datetime:
    """The instant at which a week of the year ends."""
    return YEAR + timedelta(weeks=week + 1)


def key_of(week: int) -> str:
    """The partition of a week of the year."""
    return f"{YEAR + timedelta(weeks=week):%Y-%m-%d}"
