"""Lets Dagster's daemon live through the weeks from 3 February to 9 March, and prints a line of JSON for each."""

import json
import sys
from datetime import UTC, datetime, timedelta

import ops_pipelines
from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.pointer import PRODUCTION, live_release

MODEL, FIRST, WEEKS = "late_parcel", datetime(2025, 2, 3, tzinfo=UTC), 5
SENSORS = ("automation", "arrivals", f"score_{MODEL}", f"watch_{MODEL}", f"retrain_{MODEL}")


def main() -> None:
    platform = Platform.embedded()
    with InProcessDaemon(platform.project.home / "dagster", {"acme": "acme.definitions"}) as daemon:
        for sensor in SENSORS:
            daemon.start_sensors(name=sensor)
        daemon.tick_automation()
        for week in range(WEEKS):
            platform.clock.set(FIRST + timedelta(weeks=week + 1))
            runs = live(daemon)
            line = told(platform, f"{FIRST + timedelta(weeks=week):%Y-%m-%d}") | {"runs": runs}
            sys.stdout.write(f"{json.dumps(line)}\n")


def live(daemon: InProcessDaemon) -> list[str]:
    """Ticks until a round launches nothing; each run's job and how it ended."""
    runs: list[str] = []
    for _ in range(12):
        ticks = daemon.tick_sensors() + daemon.tick_automation()
        if errors := [tick.error for tick in ticks if tick.error]:
            raise RuntimeError(f"a sensor failed: {errors}")
        found = [f"{run.job} {run.status}" for tick in ticks for run in tick.runs]
        if not found:
            return runs
        runs += found
    raise RuntimeError(f"the daemon does not come to rest: {runs}")


def told(platform: Platform, week: str) -> dict[str, object]:
    """What is live after a week, what its scores were found to be, and the id of one of them."""
    live, scores = live_release(platform.releases, MODEL, PRODUCTION), f"{MODEL}/predictions"
    findings = {
        name: type(verdict).__name__
        for part in ("performance", "drift")
        if (made := platform.lake.latest(f"{MODEL}/{part}", week))
        for name, verdict in made.findings.items()
    }
    return {
        "package": ops_pipelines.__file__,
        "week": week,
        "live": live.digest if live else None,
        "findings": findings,
        "scored_by": platform.lake.read(scores, week).column("release")[0].as_py(),
        "prediction": platform.lake.read(scores, week).column("prediction_id")[0].as_py(),
    }


if __name__ == "__main__":
    main()
