"""`ops demo`: a model lives through 2013 by the real assets, sensors and conditions, and is left for the UI."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.cli.demo_story import Story

app = typer.Typer()
YEAR, ANSWERS, AGENT = "year", "answers", "agent"
CHAPTERS = (YEAR, ANSWERS, AGENT)
PREPARED = {"dagster", "locks"}
"""What commands that only look leave in a home."""
INTERRUPTED = 130
"""What a shell makes of Ctrl-C."""
MARK = "demo"
"""The file by which a demo knows its own home."""


@app.callback()
def _family() -> None:
    pass


@app.command("demo")
def run_demo(
    full: Annotated[bool, typer.Option(help="Walk all 52 weeks, some minutes more.")] = False,
    daemon: Annotated[bool, typer.Option(help="Let Dagster's own daemon walk the weeks of the first episode.")] = False,
    chapter: Annotated[
        str | None,
        typer.Option(
            help="Only one: `year`; `answers` or `agent` in the home of a demo; `answers` in a fresh one, too."
        ),
    ] = None,
    keep: Annotated[bool, typer.Option(help="Keep an earlier demo's state as <home>.previous-<time>.")] = True,
    as_json: AsJson = False,
) -> None:
    """Train on winter, meet the storms, retrain, take it back; release a prompt that answers; let an agent watch it all."""
    from ops_pipelines.adapters.dagster_home import prepare
    from ops_pipelines.adapters.project import find_project

    project = find_project()
    _check_reference(project.root)
    told = _chapters(chapter)
    _make_room(project.home, keep=keep, goes_on=YEAR not in told)
    os.environ.update(prepare(project))
    (project.home / MARK).write_text("`ops demo` made this home, and puts it aside when it runs again.\n")
    began = time.monotonic()
    try:
        story = _told(project.home, told, full=full, daemon=daemon, quiet=as_json)
    except KeyboardInterrupt:
        print(f"\n{_interrupted(project.home, told, keep=keep)}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        show([{"weeks": story.weeks, "chapters": story.chapters, "seconds": time.monotonic() - began}], as_json=True)
        return
    if story.weeks:
        show(story.weeks, title="week by week")
        print()
    show(story.chapters, title="what happened")
    print(f"\nIt took {time.monotonic() - began:.0f} seconds. Everything is in {project.home}:")
    for command, what in story.next_steps:
        print(f"  {command:<62} {what}")


def _interrupted(home: Path, told: list[str], *, keep: bool) -> str:
    """What a person who pressed Ctrl-C is left with."""
    if YEAR not in told:
        return f"ops: interrupted. {home} is as far as it came; `ops demo` begins anew."
    aside = f"kept as {home.name}.previous-<time>" if keep else "deleted"
    return f"ops: interrupted. `ops demo` begins anew; what is in {home} is then {aside}."


def _chapters(named: str | None) -> list[str]:
    """The chapters to tell; ConfigError with the nearest one for any other name."""
    from ops_pipelines.core.errors import ConfigError, near_miss

    if named is not None and named not in CHAPTERS:
        raise ConfigError(
            f"The demo has no chapter {named!r}",
            expected=f"one of {', '.join(CHAPTERS)}",
            action=near_miss(named, CHAPTERS),
        )
    return [named] if named else list(CHAPTERS)


def _told(home: Path, chapters: list[str], *, full: bool, daemon: bool, quiet: bool) -> "Story":
    """The story of some chapters, one after the other."""
    from ops_pipelines.cli import demo_agent
    from ops_pipelines.cli.demo_answers import NEXT_STEPS, STEPS, tell_answers
    from ops_pipelines.cli.demo_story import Story, tell
    from ops_pipelines.cli.demo_walk import walk

    story = Story([], [], [])
    steps = (53 if full else 29 if YEAR in chapters else 0) + (STEPS if ANSWERS in chapters else 0)
    steps += demo_agent.STEPS if AGENT in chapters else 0
    with _progress(steps, quiet=quiet) as advance:
        if YEAR in chapters:
            story = tell(walk(home, advance, full=full, by_daemon=daemon))
        if ANSWERS in chapters:
            told = tell_answers(home, advance)
            story = Story(story.weeks, [*story.chapters, *told], [*story.next_steps, *NEXT_STEPS])
        if AGENT in chapters:
            acted = demo_agent.tell_agent(home, advance)
            story = Story(story.weeks, [*story.chapters, *acted.rows], [*story.next_steps, *acted.next_steps])
    return story


def _check_reference(root: Path) -> None:
    """ConfigError in a project of one's own: the demo would fill its home with flights, and call it a demo's."""
    from ops_pipelines.cli.dg_project import read_dg_project
    from ops_pipelines.core.errors import ConfigError

    package = read_dg_project(root).defs_module.partition(".")[0]
    if package != "ops_pipelines":
        raise ConfigError(
            f"The demo is not of this project, whose definitions are in {package!r}",
            expected="the project ops_pipelines itself, whose models and features the demo walks through",
            action="Run it in a clone of ops_pipelines",
        )


def _make_room(home: Path, *, keep: bool, goes_on: bool) -> None:
    """An earlier demo's home is put aside, or gone on with; any other state is left alone and refused."""
    from ops_pipelines.core.errors import ConfigError

    if not home.exists() or {file.name for file in home.iterdir()} <= PREPARED:
        return
    if not (home / MARK).is_file():
        raise ConfigError(
            f"{home} holds state that no demo made",
            expected="an empty home, or that of an earlier demo",
            action="Choose another one: OPS_HOME=/some/folder make demo",
        )
    if goes_on:
        return
    if keep:
        home.rename(home.with_name(f"{home.name}.previous-{int(time.time())}"))
    else:
        shutil.rmtree(home)


@contextmanager
def _progress(steps: int, *, quiet: bool) -> Iterator[Any]:
    """A function (what is being done, steps) that moves a bar on a terminal, prints lines elsewhere, or stays silent."""
    if quiet:
        yield lambda _what, _steps: None
    elif not sys.stdout.isatty():
        yield lambda what, _steps: print(what, flush=True)
    else:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description:<45}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task("starting", total=steps)

            def advance(what: str, steps: int) -> None:
                bar.update(task, description=what, advance=steps)

            yield advance
