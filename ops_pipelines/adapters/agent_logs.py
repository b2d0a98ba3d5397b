"""The logs of the agent layer that are compacted by day: what there is of a day, and which days the lake lacks some of.

These logs forget nothing by themselves: runs are looked at, replayed and forked from them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ops_pipelines.adapters.agents import writer_of
from ops_pipelines.adapters.compacted import compacted_ids
from ops_pipelines.adapters.lake import Lake
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.memory import Change, MemoryScope, version_name
from ops_pipelines.agentops.run_log import RunSummary
from ops_pipelines.agentops.run_tables import (
    DECISIONS,
    EFFECTS,
    ID,
    MEMORY,
    STEPS,
    decision_id,
    effect_id,
    table_of_changes,
    table_of_decisions,
    table_of_effects,
    table_of_steps,
)
from ops_pipelines.core.clock import Window, day_of, window_of_day

if TYPE_CHECKING:
    import pyarrow as pa

AGENT_RUNS = "agent_runs"
"""The assets of the days, of all agents together: `agent_runs/steps` and so on."""
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_EVERY = 10**9


@dataclass(frozen=True, slots=True)
class AgentLog:
    """One of the logs. `table` is what it holds of a day now; `due` the days, over by an instant, of which the lake lacks
    a row.
    """

    part: str
    table: Callable[[str], "pa.Table"]
    due: Callable[[Lake, datetime], list[str]]

    @property
    def key(self) -> str:
        """The asset of its days."""
        return f"{AGENT_RUNS}/{self.part}"


def agent_logs(platform: Platform) -> Mapping[str, AgentLog]:
    """The logs of a platform, by the part that they are of."""
    logs = (_steps(platform), _decisions(platform), _effects(platform), _memory(platform))
    return {log.part: log for log in logs}


def _steps(platform: Platform) -> AgentLog:
    def runs(window: Window) -> tuple[RunSummary, ...]:
        return platform.runs.runs(window, limit=_EVERY)

    def table(day: str) -> "pa.Table":
        return table_of_steps(step for one in runs(window_of_day(day)) for step in platform.runs.steps(one.run))

    def due(lake: Lake, until: datetime) -> list[str]:
        # A run only grows, so that counting its steps is enough, and no step is read.
        counts: dict[str, int] = {}
        for one in runs(Window(_FIRST, window_of_day(day_of(until)).start)):
            day = day_of(one.started)
            counts[day] = counts.get(day, 0) + one.steps
        key = f"{AGENT_RUNS}/{STEPS}"
        return sorted(day for day, count in counts.items() if len(compacted_ids(lake, key, day, column=ID)) < count)

    return AgentLog(STEPS, table, due)


def _decisions(platform: Platform) -> AgentLog:
    def table(day: str) -> "pa.Table":
        found = (one for one in platform.decisions.decisions() if day_of(one.at) == day)
        return table_of_decisions(found, writer_of(platform).redactor)

    def rows() -> Iterator[tuple[str, str]]:
        return ((day_of(one.at), decision_id(one)) for one in platform.decisions.decisions())

    return AgentLog(DECISIONS, table, _lacking(DECISIONS, rows))


def _effects(platform: Platform) -> AgentLog:
    def table(day: str) -> "pa.Table":
        entries = (one for one in platform.effects.entries() if day_of(one.started_at) == day)
        return table_of_effects(entries, platform.clock.wall(), writer_of(platform).redactor)

    def rows() -> Iterator[tuple[str, str]]:
        now = platform.clock.wall()
        return ((day_of(one.started_at), effect_id(one, now)) for one in platform.effects.entries())

    return AgentLog(EFFECTS, table, _lacking(EFFECTS, rows))


def _memory(platform: Platform) -> AgentLog:
    def changes() -> Iterator[tuple[MemoryScope, int, Change]]:
        for scope in platform.memory.scopes():
            for version, change in enumerate(platform.memory.changes(scope), start=1):
                yield scope, version, change

    def table(day: str) -> "pa.Table":
        return table_of_changes(one for one in changes() if day_of(one[2].at) == day)

    def rows() -> Iterator[tuple[str, str]]:
        return ((day_of(change.at), version_name(scope, version)) for scope, version, change in changes())

    return AgentLog(MEMORY, table, _lacking(MEMORY, rows))


def _lacking(part: str, rows: Callable[[], Iterator[tuple[str, str]]]) -> Callable[[Lake, datetime], list[str]]:
    def due(lake: Lake, until: datetime) -> list[str]:
        days: dict[str, set[str]] = {}
        for day, row in rows():
            if day < day_of(until):
                days.setdefault(day, set()).add(row)
        key = f"{AGENT_RUNS}/{part}"
        return sorted(day for day, ids in days.items() if ids - compacted_ids(lake, key, day, column=ID))

    return due
