"""`ops demo`: the winter of 2013, lived through by the real assets, sensors and conditions, and left for the UI."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.dagster_runs import RunResult, TickResult
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.release import Release

app = typer.Typer()
SYSTEM = "flight_delay"
MARK = "demo"
"""The file by which a demo knows its own home."""
YEAR = datetime(2013, 1, 1, tzinfo=UTC)
FLIPPED = {"train": "ops_pipelines.cli.flipped_labels:train"}
LOCATIONS = {name: f"ops_pipelines.locations.{name}" for name in ("mlops", "llmops", "agentops")}


@app.callback()
def _family() -> None:
    pass


@app.command("demo")
def run_demo(
    keep: Annotated[bool, typer.Option(help="Keep an earlier demo's state as <home>.previous-<time>.")] = True,
    as_json: AsJson = False,
) -> None:
    """Train, gate, promote, score, refuse and roll back a real model on real flights, in a fresh home."""
    from ops_pipelines.adapters.dagster_home import prepare
    from ops_pipelines.adapters.project import find_project

    project = find_project()
    _make_room(project.home, keep=keep)
    import os

    os.environ.update(prepare(project))
    (project.home / MARK).write_text("`ops demo` made this home, and puts it aside when it runs again.\n")
    with _progress(quiet=as_json) as advance:
        story = _tell(project.home, advance)
    show(story.rows, title="what happened", as_json=as_json)
    if not as_json:
        print(f"\nIt took {story.seconds:.0f} seconds. Everything is in {project.home}:")
        print("  make ui                                    runs, ticks, lineage and checks in the browser")
        print(f"  .venv/bin/ops releases {SYSTEM}         every release and why it is or is not live")
        print(f"  .venv/bin/ops why '{story.example}'")


@dataclass(slots=True)
class Story:
    """What the demo did, for the table at its end."""

    rows: list[dict[str, str]] = field(default_factory=list)
    example: str = ""
    seconds: float = 0.0

    def tell(self, when: datetime, what: str, outcome: str, where: str) -> None:
        self.rows.append({"as of": f"{when:%Y-%m-%d}", "what": what, "outcome": outcome, "where to look": where})


def _tell(home: Path, advance: Any) -> Story:
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform

    began, story = time.monotonic(), Story()
    with InProcessDaemon(home / "dagster", LOCATIONS) as daemon:
        walk = Walk(Platform.embedded(), daemon, story, advance)
        walk.begin()
        walk.catch_up(first=0, last=4)
        walk.train(cut_off=5)
        walk.catch_up(first=5, last=9)
        walk.train(cut_off=10)
        walk.catch_up(first=10, last=10)
        walk.train(cut_off=11, config=FLIPPED)
        walk.roll_back()
        walk.score_again(week=10)
    story.seconds = time.monotonic() - began
    return story


@dataclass(slots=True)
class Walk:
    """The platform's clock moved through the year, with Dagster's daemon ticking after it."""

    platform: "Platform"
    daemon: "InProcessDaemon"
    story: Story
    advance: Any

    def begin(self) -> None:
        """The first ticks only take a baseline, and automation applies the feature definitions."""
        self.platform.clock.set(YEAR)
        self.daemon.start_sensors()
        self.advance("starting", 1)
        self._sensors()
        self._settle()

    def catch_up(self, *, first: int, last: int) -> None:
        """Weeks arrive one after the other, features follow, and the release that was live in each scores it."""
        self.platform.clock.set(_instant(last + 1))
        for week in range(first, last + 1):
            self.advance(f"week {week} arrives", 1)
            self._sensors()
        self.advance("rolling statistics and features", 1 + last - first)
        self._settle()
        self.advance("scoring", 1)
        self._sensors()
        weeks = [_week(week) for week in range(first, last + 1)]
        passed = [week for week in weeks if self.platform.lake.good("flight_features/online", week)]
        scored = [found for week in weeks if (found := self.platform.lake.good(f"{SYSTEM}/predictions", week))]
        by = ", ".join(sorted({found.facts["release"][:12] for found in scored}))
        self._tell(
            f"weeks {first} to {last}" if last > first else f"week {last}",
            f"{len(passed)} of {len(weeks)} passed their checks, {len(scored)} scored" + (f" by {by}" if by else ""),
            f"assets flights, {SYSTEM}/predictions",
        )

    def train(self, *, cut_off: int, config: dict[str, str] | None = None) -> None:
        """Train on what is known at the end of a week, gate, and let automation ship what passed."""
        self.advance(f"training at the end of week {cut_off - 1}", 2)
        run_config = {"ops": {f"{SYSTEM}__checkpoint": {"config": config}}} if config else None
        done = self.daemon.run_job("mlops", f"train_{SYSTEM}", partition_key=_week(cut_off - 1), run_config=run_config)
        before = self._live()
        self._settle()
        release = self.platform.releases.releases(SYSTEM)[-1]
        shipped = self._live() == release.digest != before
        what = "challenger with flipped labels" if config else "challenger"
        self._tell(
            f"{what} {release.digest[:12]}"
            + (f" against {before[:12]}" if before else ", the first, against the base rate"),
            ("promoted: " if shipped else "refused: ") + _gate_words(release),
            f"run {done.run_id[:8]}, models:/{SYSTEM}/{release.latest.facts['model_version']}",
        )

    def roll_back(self) -> None:
        """The pointer moves back through the job that the UI's launchpad offers."""
        self.advance("rollback", 1)
        before, began = self._live(), time.monotonic()
        reason = {"config": {"reason": "the demo takes its last promotion back"}}
        run = self.daemon.run_job("mlops", f"rollback_{SYSTEM}", run_config={"ops": {f"roll_{SYSTEM}_back": reason}})
        took = time.monotonic() - began
        self._tell(
            f"rollback from {(before or '')[:12]}",
            f"{(self._live() or '')[:12]} is live again after {took:.1f} s, no training",
            f"run {run.run_id[:8]}",
        )

    def score_again(self, *, week: int) -> None:
        """An old week scored again after the rollback: by the release that was live then, with the same scores."""
        self.advance(f"scoring week {week} again", 1)
        key = f"{SYSTEM}/predictions"
        before = self.platform.lake.good(key, _week(week))
        run = self.daemon.run_job("mlops", f"score_{SYSTEM}", partition_key=_week(week))
        after = self.platform.lake.good(key, _week(week))
        same = before is not None and after is not None and before.digest == after.digest
        outcome = "the same scores, by the release of that week" if same else "OTHER SCORES THAN BEFORE"
        self._tell(f"week {week} scored again", outcome, f"run {run.run_id[:8]}")
        self.story.example = self.platform.lake.read(key, _week(week)).column("prediction_id")[0].as_py()

    def _sensors(self) -> None:
        _check(self.daemon.tick_sensors())

    def _settle(self) -> None:
        _check(self.daemon.settle_automation())

    def _live(self) -> str | None:
        from ops_pipelines.core.pointer import PRODUCTION, live_move

        move = live_move(self.platform.releases.history(SYSTEM, PRODUCTION))
        return move.release if move else None

    def _tell(self, what: str, outcome: str, where: str) -> None:
        self.story.tell(self.platform.clock.as_of(), what, outcome, where)


def _gate_words(release: "Release") -> str:
    """Why the gate decided as it did, with metrics and interval."""
    from ops_pipelines.core.verdict import reasons_of

    reasons = reasons_of(release.latest.verdict)
    if reasons:
        return "; ".join(reasons[:2]) + (f" (and {len(reasons) - 2} more)" if len(reasons) > 2 else "")
    found = release.latest.verdict.evidence["better"]["comparison"]
    low, high = found["gain_interval"]
    return (
        f"log loss {found['challenger_loss']:.4f} against {found['champion_loss']:.4f} on {found['rows']:,} flights, "
        f"gain {found['gain']:.4f} [{low:.4f}, {high:.4f}] over {found['days']} days"
    )


def _check(ticks: "list[TickResult]") -> None:
    """The demo goes on only while every tick and run that it did not expect to fail succeeds."""
    from ops_pipelines.adapters.dagster_runs import DaemonError

    runs: list[RunResult] = [run for tick in ticks for run in tick.runs]
    problems = [f"sensor {tick.sensor}: {tick.error}" for tick in ticks if tick.error]
    problems += [f"run {run.run_id[:8]} of {run.job}: {run.error}" for run in runs if run.status != "SUCCESS"]
    if problems:
        raise DaemonError(
            f"The demo stopped: {'; '.join(problems)}",
            expected="every tick and run of the demo to succeed",
            action="`make ui` shows the failed run; `ops doctor` what is missing",
        )


def _make_room(home: Path, *, keep: bool) -> None:
    """An earlier demo's home is put aside; any other state is left alone and refused."""
    from ops_pipelines.core.errors import ConfigError

    if not (home / "lake").exists():
        return
    if not (home / MARK).is_file():
        raise ConfigError(
            f"{home} holds state that no demo made",
            expected="an empty home, or that of an earlier demo",
            action="Choose another one: OPS_HOME=/some/folder make demo",
        )
    if keep:
        home.rename(home.with_name(f"{home.name}.previous-{int(time.time())}"))
    else:
        shutil.rmtree(home)


def _instant(week: int) -> datetime:
    return YEAR + timedelta(weeks=week)


def _week(week: int) -> str:
    return f"{_instant(week):%Y-%m-%d}"


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    """A function (what is being done, steps) that moves a bar on a terminal, prints lines elsewhere, or stays silent."""
    import sys

    if quiet:
        yield lambda _what, _steps: None
    elif not sys.stdout.isatty():
        yield lambda what, _steps: print(what, flush=True)
    else:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description:<45}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task("starting", total=27)

            def advance(what: str, steps: int) -> None:
                bar.update(task, description=what, advance=steps)

            yield advance
