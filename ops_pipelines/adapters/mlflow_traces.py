"""Copies of runs for MLflow's trace page, made beside the agents and after them.

An agent writes to the run log alone. This follows the log by a cursor that is kept, in a process of its own: whether MLflow
is slow, dead or away for a week changes nothing for an agent, and once it is back it gets what it missed. The log is the
truth; the copy is never read.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from ops_pipelines.adapters.mlflow_spans import spans_for_mlflow
from ops_pipelines.adapters.trace_cursor import TraceCursor
from ops_pipelines.adapters.trace_destinations import Destination, Unsent
from ops_pipelines.agentops.run_following import FollowedRunLog, Kept, entry_kept
from ops_pipelines.agentops.run_log import AGENT, Step

MOST_RUNS, MOST_STEPS = 50, 2_000
"""How many runs, and how many new steps, are sent at once at most."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What one export came to: the runs and the new steps that were sent, and the number of the last one.

    `is_all` where the log has nothing more; `problem` says why it stopped before, and the same steps are sent again by the
    next. `refused` are runs that the destination will never take, with why: they are passed over, and stay in the log.
    """

    runs: int
    steps: int
    cursor: int
    is_all: bool
    problem: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The export as plain JSON."""
        return {**asdict(self), "refused": dict(self.refused)}


def export_new(
    log: FollowedRunLog,
    cursor: TraceCursor,
    to: Destination,
    *,
    most_runs: int = MOST_RUNS,
    most_steps: int = MOST_STEPS,
) -> Exported:
    """Send what came since the last time, of `most_runs` runs at most; the cursor moves once it is taken.

    The same step may be sent twice, and is shown once. DataError where the log or the cursor cannot be read.
    """
    position = cursor.read(log)
    page = log.steps_after(position.sequence, limit=most_steps)
    new = list(_of_runs(page, most_runs))
    if not new:
        return Exported(0, 0, position.sequence, is_all=True)
    runs = list(dict.fromkeys(kept.step.run for kept in new))
    try:
        refused = _send(log, to, {run: [kept.step for kept in new if kept.step.run == run] for run in runs})
    except Unsent as error:
        return Exported(0, 0, position.sequence, is_all=False, problem=str(error))
    cursor.write(position.after(new[-1], refused))
    sent = sum(kept.step.run not in refused for kept in new)
    is_all = len(new) == len(page) < most_steps
    return Exported(len(runs) - len(refused), sent, new[-1].sequence, is_all=is_all, refused=refused)


def following(
    log: FollowedRunLog, cursor: TraceCursor, to: Destination, *, every_seconds: float | None = None
) -> Iterator[Exported]:
    """One export after the other until the log has nothing more or there is a problem; then on for ever, with pauses.

    Without `every_seconds` it ends there. While following it tells of exports that sent something, and of each new problem.
    """
    problem = ""
    while True:
        exported = export_new(log, cursor, to)
        if every_seconds is None or exported.steps or exported.refused or exported.problem not in ("", problem):
            yield exported
        problem = exported.problem
        if exported.is_all or exported.problem:
            if every_seconds is None:
                return
            time.sleep(every_seconds)


def send_again(log: FollowedRunLog, cursor: TraceCursor, to: Destination) -> int:
    """How many of the runs that were refused are taken now; Unsent where the destination is away."""
    position = cursor.read(log)
    runs = {run: log.steps(run) for run in position.refused}
    refused = dict(_refused(to, {run: _request(log, run, steps) for run, steps in runs.items() if steps}))
    cursor.write(replace(position, refused=refused))
    return sum(bool(steps) for steps in runs.values()) - len(refused)


def waiting(log: FollowedRunLog, cursor: TraceCursor) -> int:
    """How many numbers of steps lie between what was sent and the log's end: at least the steps that wait."""
    return log.last_sequence() - cursor.read(log).sequence


def _of_runs(page: Sequence[Kept], most: int) -> Iterator[Kept]:
    """The steps of a page up to the first one that belongs to a run too many."""
    runs = set(islice(dict.fromkeys(kept.step.run for kept in page), most))
    for kept in page:
        if kept.step.run not in runs:
            return
        yield kept


def _send(log: FollowedRunLog, to: Destination, runs: Mapping[str, Sequence[Step]]) -> dict[str, str]:
    """The runs that were refused; all together are sent at once, and one by one only where that was refused."""
    requests = {run: _request(log, run, new) for run, new in runs.items()}
    try:
        to.send({"resourceSpans": [part for request in requests.values() for part in request["resourceSpans"]]})
    except Unsent as error:
        if not error.refused:
            raise
        return dict(_refused(to, requests))
    return {}


def _refused(to: Destination, requests: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, str]]:
    for run, request in requests.items():
        try:
            to.send(request)
        except Unsent as error:
            if not error.refused:
                raise
            yield run, str(error)


def _request(log: FollowedRunLog, run: str, new: Sequence[Step]) -> Mapping[str, list[object]]:
    """The new steps of a run, with its agents: their spans grow with what is below them."""
    steps, ids = log.steps(run), {step.id for step in new}
    grown = [step for step in steps if step.kind == AGENT and step.id not in ids]
    return spans_for_mlflow(log, [entry_kept(log, step) for step in (*new, *grown)], steps)
