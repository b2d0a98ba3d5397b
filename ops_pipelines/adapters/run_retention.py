"""Which days of the run log may be forgotten: those of which the lake has every step, and on which nothing still goes on.

What the lake has are the steps; what went in and came out lies in the log alone, so that a run is looked at whole, replayed
and forked for as long as its day is kept, and by its steps after that. A day is that of the beginning of its runs, by the
wall clock.
"""

from collections.abc import Iterator
from datetime import datetime

from ops_pipelines.adapters.agent_logs import AGENT_RUNS
from ops_pipelines.adapters.compacted import compacted_ids
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.conduct import RUNNING, WAITING, state_of
from ops_pipelines.agentops.notes import ENDS, FORK
from ops_pipelines.agentops.replay import fork_note
from ops_pipelines.agentops.run_log import DECISION, RunFilter, recording_of
from ops_pipelines.agentops.run_named import ALWAYS
from ops_pipelines.agentops.run_tables import ID, STEPS
from ops_pipelines.core.clock import window_of_day

STEPS_OF_DAYS = f"{AGENT_RUNS}/{STEPS}"
"""The asset of the days of all agents; its rows are named `run/step`."""
_MOST = 1_000_000


def compacted_days(platform: Platform) -> Iterator[tuple[str, datetime]]:
    """Each day whose runs may be forgotten once it is old, with the instant of the wall clock at which it ended."""
    for day in platform.lake.partitions(STEPS_OF_DAYS):
        if forgettable(platform, day):
            yield day, window_of_day(day).end


def forgettable(platform: Platform, day: str) -> set[str]:
    """The runs of a day in the log; none where the lake lacks a step of one, refused the day, or one has not ended.

    None either where a fork of one has not ended, which asks its parent what was done already.
    """
    runs = [one.run for one in platform.runs.runs(window_of_day(day), limit=_MOST)]
    kept = compacted_ids(platform.lake, STEPS_OF_DAYS, day, column=ID) if runs else set()
    if not all(_is_kept(platform, run, kept) for run in runs) or _parents_of_open_forks(platform).intersection(runs):
        return set()
    return set(runs)


def _parents_of_open_forks(platform: Platform) -> set[str]:
    """The runs of which there are forks that have not ended."""
    forks = platform.runs.runs(ALWAYS, RunFilter(kind=DECISION, name=FORK, lacks=ENDS), limit=_MOST)
    return {str(fork_note(recording_of(platform.runs, one.run)).get("of")) for one in forks}


def _is_kept(platform: Platform, run: str, kept: set[str]) -> bool:
    steps = platform.runs.steps(run)
    if not all(f"{run}/{step.id}" in kept for step in steps):
        return False
    return state_of(steps, platform.clock.wall()) not in (WAITING, RUNNING)
