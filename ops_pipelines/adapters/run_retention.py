"""Which days of the run log may be forgotten: those of which the lake has every step, and on which nothing still goes on.

What the lake has are the steps; what went in and came out lies in the log alone, so that a run is looked at whole, replayed
and forked for as long as its day is kept, and by its steps after that. A day is that of the beginning of its runs, by the
wall clock. A fork that still goes on is told of its parent's effects, so that it keeps its parent's day, too.
"""

from collections.abc import Iterator
from datetime import datetime

from ops_pipelines.adapters.agent_logs import AGENT_RUNS
from ops_pipelines.adapters.compacted import compacted_ids
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.run_lock import is_held
from ops_pipelines.agentops.going_on import FRESH
from ops_pipelines.agentops.notes import ENDS, FORK, notes_in
from ops_pipelines.agentops.run_log import DECISION, RunFilter
from ops_pipelines.agentops.run_named import ALWAYS
from ops_pipelines.agentops.run_state import RUNNING, WAITING, last_written, state_of
from ops_pipelines.agentops.run_tables import ID, STEPS
from ops_pipelines.core.clock import utc, window_of_day

STEPS_OF_DAYS = f"{AGENT_RUNS}/{STEPS}"
"""The asset of the days of all agents; its rows are named `run/step`."""
_MOST = 1_000_000


def compacted_days(platform: Platform) -> Iterator[tuple[str, datetime]]:
    """Each day whose runs may be forgotten once it is old, with the instant of the wall clock at which it ended."""
    for day in platform.lake.partitions(STEPS_OF_DAYS):
        if forgettable(platform, day):
            yield day, window_of_day(day).end


def forgettable(platform: Platform, day: str) -> set[str]:
    """The runs of a day in the log; none where the lake lacks a step of one, refused the day, or one still goes on or waits,
    be it as the parent of a fork.
    """
    runs = [one.run for one in platform.runs.runs(window_of_day(day), limit=_MOST)]
    kept = compacted_ids(platform.lake, STEPS_OF_DAYS, day, column=ID) if runs else set()
    if not all(_is_kept(platform, run, kept) for run in runs):
        return set()
    return set(runs) if runs and _parents_of_open_forks(platform).isdisjoint(runs) else set()


def _is_kept(platform: Platform, run: str, kept: set[str]) -> bool:
    has_all = all(f"{run}/{step.id}" in kept for step in platform.runs.steps(run))
    return has_all and not _goes_on(platform, run)


def _goes_on(platform: Platform, run: str) -> bool:
    """Whether a run waits, or a process has it: one that is long about a step looks as if it had stopped."""
    state = state_of(platform.runs.steps(run), platform.clock.wall())
    return state in (WAITING, RUNNING) or is_held(platform.project.home, run)


def _parents_of_open_forks(platform: Platform) -> set[str]:
    forks = platform.runs.runs(ALWAYS, RunFilter(kind=DECISION, name=FORK, lacks=ENDS), limit=_MOST)
    return {_parent_of(platform, one.run) for one in forks if _may_go_on(platform, one.run)}


def _may_go_on(platform: Platform, run: str) -> bool:
    """Whether a run goes on, or might by itself, since its process died only lately."""
    quiet = utc(platform.clock.wall()) - utc(last_written(platform.runs.steps(run)))
    return quiet <= FRESH or _goes_on(platform, run)


def _parent_of(platform: Platform, fork: str) -> str:
    notes = notes_in(platform.runs.steps(fork), FORK)
    payload = platform.runs.payload(notes[-1].inputs) if notes else None
    said = payload.shown() if payload else None
    return str(said.get("of")) if isinstance(said, dict) else ""
