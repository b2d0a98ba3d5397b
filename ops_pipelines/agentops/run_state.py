"""What a run has come to and who started it, read from its steps alone: done, failed, waiting, stopped or still running."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.agentops.notes import (
    ENDS,
    FAILURE,
    HINDERED,
    RESULT,
    RESUMED,
    STARTED,
    TRIED,
    UNTRUSTED,
    WAITS,
    notes_in,
)
from ops_pipelines.agentops.replay import first_of
from ops_pipelines.agentops.run_log import DECISION, Recording, Step, has_own_id
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.fingerprint import digest_json

DONE, FAILED, WAITING, STOPPED, RUNNING = "done", "failed", "waiting", "stopped", "running"
"""What has become of a run: `stopped` is one that ended without a result, as its process did."""
PATIENCE = timedelta(minutes=2)
"""A run without a result whose last step is older than this is not running any more."""


class NotResumable(NotAllowed):
    """The run has ended, is running, or is being resumed by somebody else."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run has come to: its result as plain JSON, what went wrong, or what it waits for."""

    run: str
    state: str
    result: Any = None
    error: str = ""
    waits: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The run as plain JSON, without what is empty."""
        told = {"result": self.result, "error": self.error, "waits": dict(self.waits)}
        return {"run": self.run, "state": self.state, **{name: one for name, one in told.items() if one}}


def state_of(steps: Sequence[Step], now: datetime) -> str:
    """What has become of the run with some steps (at least one), at an instant of the wall clock."""
    notes = {RESULT: DONE, FAILURE: FAILED, WAITS: WAITING}
    noted = notes_in(steps, *notes, RESUMED)
    if noted and noted[-1].name in notes:
        return notes[noted[-1].name]
    return RUNNING if utc(now) - utc(last_written(steps)) < PATIENCE else STOPPED


def last_written(steps: Sequence[Step]) -> datetime:
    """When the process of the run with some steps (at least one) wrote something last."""
    # Spans from elsewhere say what instant they like.
    own = [step.ended for step in steps if has_own_id(step) and not _is_try(step)]
    return max(own or (step.ended for step in steps))


def _is_try(step: Step) -> bool:
    """Whether a step was noted by who would go on with the run, which says nothing of the run's own process."""
    return step.kind == DECISION and step.name in (TRIED, HINDERED)


def ran_of(recording: Recording, now: datetime) -> Ran:
    """What a run with at least one step has come to, at an instant of the wall clock, as its process would have told."""
    state = state_of(recording.steps, now)
    if state == WAITING:
        return Ran(recording.run, state, waits=waits_of(recording)[-1])
    ends = notes_in(recording.steps, *ENDS)
    said = recording.value(ends[-1].inputs) if ends else None
    return Ran(recording.run, state, error=str(said)) if state == FAILED else Ran(recording.run, state, said)


def has_ended(recording: Recording) -> bool:
    """Whether a run has come to a result or to a failure, and does nothing more."""
    noted = notes_in(recording.steps, *ENDS, WAITS, RESUMED)
    return bool(noted) and noted[-1].name in ENDS


def waits_of(recording: Recording) -> tuple[Mapping[str, Any], ...]:
    """What a run has noted of the calls for which it waited, the first first."""
    notes = notes_in(recording.steps, WAITS)
    return tuple(dict(recording.value(step.inputs)) for step in notes)  # type: ignore[call-overload]


def waited_in(recording: Recording, now: datetime) -> timedelta:
    """How long a run has waited for people up to now: that is none of the time that it may take."""
    waited, since = timedelta(0), None
    for note in notes_in(recording.steps, WAITS, RESUMED):
        if note.name == WAITS:
            since = since or note.ended
        elif since is not None:
            waited, since = waited + (note.started - since), None
    return waited + (now - since if since is not None else timedelta(0))


def who_started(recording: Recording, names: Iterable[str]) -> str:
    """Which principal of some names started a run; empty where that was the agent's own, or nobody was known.

    A name that is an address is taken out of the log, and known by its digest.
    """
    note = _started(recording)
    return next((name for name in names if digest_json(name) == note.get("digest")), str(note.get("by", "")))


def where_started(recording: Recording) -> str:
    """The environment that a run noted; empty where it acts in production, and where it noted none."""
    return str(_started(recording).get("environment", ""))


def _started(recording: Recording) -> Mapping[str, Any]:
    notes = notes_in(recording.steps, STARTED)
    note: Any = recording.value(notes[0].inputs) if notes else {}
    return dict(note)


def is_untrusted(recording: Recording) -> bool:
    """Whether the task of a run was written by strangers."""
    return first_of(recording).decision == UNTRUSTED
