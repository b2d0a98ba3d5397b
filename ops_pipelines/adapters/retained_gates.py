"""Which days of what gates keep may be forgotten: those on which all is settled, of whose runs the log has none any more.

Requests for approval, decisions and effects are of the day on which they were asked, made and begun, by the wall clock. One
that still waits for a person keeps its day, however old that is: a request that can yet be answered, and an effect of which
nobody knows. Decisions and effects have to be in the lake before; of an approval the audit log tells for ever.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from ops_pipelines.adapters.agent_logs import AGENT_RUNS
from ops_pipelines.adapters.compacted import compacted_ids
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.approval import EXPIRED, REFUSED, USED
from ops_pipelines.agentops.effects import DONE, NOT_DONE
from ops_pipelines.agentops.run_named import ALWAYS, run_of
from ops_pipelines.agentops.run_tables import DECISIONS, EFFECTS, ID, decision_id, effect_id
from ops_pipelines.core.clock import day_of

APPROVALS = "approvals"
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """Something that a gate kept: its key, its day, its run in the log, and whether it may go.

    `row` is what it is called in the lake; empty for what is not compacted.
    """

    key: str
    day: str
    run: str
    is_settled: bool
    row: str = ""


@dataclass(frozen=True, slots=True)
class GateLog:
    """What gates keep of one kind, and how some of it is removed by its keys."""

    part: str
    rows: Callable[[], Iterator[Row]]
    forget: Callable[[Collection[str]], int]

    @property
    def key(self) -> str:
        """What its days are called; those of decisions and effects are assets, too."""
        return f"{AGENT_RUNS}/{self.part}"


def gate_logs(platform: Platform) -> Mapping[str, GateLog]:
    """What gates keep in a home, by the key of its days."""

    def approvals() -> Iterator[Row]:
        now = platform.clock.wall()
        for one in platform.approvals.held():
            asked, is_over = one.request, one.state(now) in (USED, REFUSED, EXPIRED)
            yield Row(asked.id, day_of(asked.asked_at), run_of(asked.binding.run), is_over)

    def decisions() -> Iterator[Row]:
        for one in platform.decisions.decisions():
            yield Row(f"{one.run}#{one.id}", day_of(one.at), run_of(one.run), True, decision_id(one))

    def effects() -> Iterator[Row]:
        now = platform.clock.wall()
        for one in platform.effects.entries():
            is_over, run = one.state(now) in (DONE, NOT_DONE), run_of(one.intent.run)
            yield Row(one.intent.key, day_of(one.started_at), run, is_over, effect_id(one, now))

    logs = (
        GateLog(APPROVALS, approvals, platform.approvals.forget),
        GateLog(DECISIONS, decisions, platform.decisions.forget),
        GateLog(EFFECTS, effects, platform.effects.forget),
    )
    return {log.key: log for log in logs}


def settled_days(platform: Platform) -> Iterator[tuple[str, str, set[str]]]:
    """Each kind and day on which all is settled and compacted, with the days of the runs that the log still has of it."""
    runs = {one.run: day_of(one.started) for one in platform.runs.runs(ALWAYS, limit=_MOST)}
    for log in gate_logs(platform).values():
        by_day: dict[str, list[Row]] = defaultdict(list)
        for row in log.rows():
            by_day[row.day].append(row)
        for day, rows in sorted(by_day.items()):
            if _may_go(platform, log, day, rows):
                yield log.key, day, {runs[row.run] for row in rows if row.run in runs}


def forget_day(platform: Platform, key: str, day: str) -> bool:
    """Whether what is kept of one kind of a day was forgotten: not where something of it is not settled, or has a run."""
    log = gate_logs(platform)[key]
    rows = [row for row in log.rows() if row.day == day]
    has_run = any(platform.runs.steps(run) for run in {row.run for row in rows})
    if has_run or not _may_go(platform, log, day, rows):
        return False
    return bool(log.forget([row.key for row in rows]))


def purses_of(runs: Collection[str]) -> Callable[[str], bool]:
    """Says of the key of an account whether it is the purse of one of some runs, or of an agent that worked for one."""
    return lambda key: key.startswith("run:") and run_of(key.removeprefix("run:")) in runs


def _may_go(platform: Platform, log: GateLog, day: str, rows: Collection[Row]) -> bool:
    if not all(row.is_settled for row in rows):
        return False
    named = {row.row for row in rows if row.row}
    return not named or named <= compacted_ids(platform.lake, log.key, day, column=ID)
