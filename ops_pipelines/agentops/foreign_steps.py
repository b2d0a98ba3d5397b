"""Steps that others send, over the network, into a log in which runs of ours are kept, too.

A foreign step may stand beside those of a run of ours, and never in the place of one: what a run is told again when it
goes on, is replayed or is forked was recorded here.
"""

from collections.abc import Callable, Sequence

from ops_pipelines.agentops.run_log import AGENT, Entry, RunLog, Tally, has_own_id
from ops_pipelines.agentops.step_writer import Keep

_REFUSED = "it would take the place of a step of a run that is conducted here"


def keep_foreign(log: RunLog, is_ours: Callable[[str], bool]) -> Keep:
    """Where foreign entries go: into the log, but for those with the id of a place in a run of a release that is ours."""

    def keep(entries: Sequence[Entry]) -> Tally:
        claimed = {entry.step.run for entry in entries if has_own_id(entry.step)}
        taken = {run: ids for run in claimed if (ids := _ids_of_ours(log, run, is_ours))}
        wrong = {entry.step.id for entry in entries if _is_forged(entry, taken)}
        tally = log.append([entry for entry in entries if entry.step.id not in wrong])
        return Tally(tally.accepted, (*tally.rejected, *((one, _REFUSED) for one in sorted(wrong))))

    return keep


def _is_forged(entry: Entry, taken: dict[str, set[str]]) -> bool:
    step = entry.step
    return has_own_id(step) and step.run in taken and step.id not in taken[step.run]


def _ids_of_ours(log: RunLog, run: str, is_ours: Callable[[str], bool]) -> set[str]:
    """The ids of a run that is conducted here; empty for any other one."""
    steps = log.steps(run)
    first = next((step for step in steps if step.kind == AGENT and has_own_id(step)), None)
    return {step.id for step in steps} if first and is_ours(first.release) else set()
