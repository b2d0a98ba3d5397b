"""Which runs that have not come to an end go on by themselves, and why the others do not.

A run that waited goes on once a person has answered, whatever they said: the agent reads a denial as data. One whose process
died goes on where nobody has it, where it has written nothing for a while, and where it is known what came of each of its
effects. Both only so often: a run that ends its process each time, and one that cannot be gone on with, wait for a person.

It is said in the run's own log that somebody is about to go on with it, before they do, so that whoever dies at that counts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.agentops.approval import Held
from ops_pipelines.agentops.effects import DONE, NOT_DONE, Entry
from ops_pipelines.agentops.notes import HINDERED, RESUMED, TRIED, WAITS, notes_in
from ops_pipelines.agentops.run_log import Step
from ops_pipelines.agentops.run_state import RUNNING, STOPPED, WAITING
from ops_pipelines.core.clock import utc

GOES_ON, NOT_YET, FOR_A_PERSON = "goes on", "not yet", "waits for a person"
"""What is to become of a run that has not ended."""
MOST_CUT_OFF = 2
"""So often a run whose process died goes on by itself, counted from when it last waited or began."""
MOST_TRIES = 3
"""So often it is tried to go on with a run where that cannot even begin."""
FRESH = timedelta(days=1)
"""For how long after its death a run goes on by itself: what it was about may be another matter by then."""
PAUSE = timedelta(minutes=10)
"""How long after a first try that came to nothing there is another one; after the second it is twice as long."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a run has noted of being gone on with: for which approvals it waits now, and what came of going on since.

    `cut_off` is how often its process died again after it had gone on, `tries` when somebody was about to go on with it
    and did not, `error` why not, and `notes` how much was noted in all; `resumed` is when it went on last.
    """

    waits: tuple[str, ...] = ()
    resumed: datetime | None = None
    cut_off: int = 0
    tries: tuple[datetime, ...] = ()
    error: str = ""
    notes: int = 0


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended: `requests` are those that it waits for now, `effects` all of its journal.

    `is_held` says that a process that is alive has it, and `written` when it wrote something last.
    """

    run: str
    agent: str
    state: str
    written: datetime
    is_held: bool = False
    requests: tuple[Held, ...] = ()
    effects: tuple[Entry, ...] = ()
    past: Past = field(default_factory=Past)


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a run goes on by itself now, and why or why not in words."""

    run: OpenRun
    outcome: str
    why: str

    @property
    def key(self) -> str:
        """What is the same until the run goes on, or somebody tries that."""
        return f"{self.run.run}:{self.run.past.notes}"

    def to_json(self) -> dict[str, Any]:
        """The judgement as plain JSON."""
        return {"run": self.run.run, "agent": self.run.agent, "state": self.outcome, "why": self.why}


def past_of(steps: Sequence[Step], value_of: Callable[[Step], Any]) -> Past:
    """What a run has noted; `value_of` is what stands in a note, as far as it was kept."""
    notes = notes_in(steps, WAITS, RESUMED, TRIED, HINDERED)
    resumed, since = _from_last(notes, RESUMED)
    waited, after = _from_last(notes, WAITS)
    went_on = sum(note.name == RESUMED for note in after)
    hindered = [note for note in after if note.name == HINDERED]
    return Past(
        waits=tuple(str(value_of(note).get("approval")) for note in since if note.name == WAITS),
        resumed=resumed.ended if resumed else None,
        cut_off=went_on - 1 if waited and went_on else went_on,
        tries=tuple(note.ended for note in since if note.name == TRIED),
        error=str(value_of(hindered[-1]).get("error")) if hindered else "",
        notes=len(notes),
    )


def waited_for(held: Iterable[Held], past: Past) -> tuple[Held, ...]:
    """Of the requests of a run those that it waits for now.

    Where it is not known which these are, as where a note was too long to be kept whole, those count that were answered
    since it went on last.
    """
    every = {one.request.id: one for one in held}
    if past.waits and all(name in every for name in past.waits):
        return tuple(every[name] for name in past.waits)
    answered = [(one, one.answer.at) for one in every.values() if one.answer]
    return tuple(one for one, at in answered if past.resumed is None or utc(at) > utc(past.resumed))


def _from_last(notes: Sequence[Step], name: str) -> tuple[Step | None, Sequence[Step]]:
    """The last note of a name, and those that came after it; None and all of them where there is none."""
    last = next((index for index in reversed(range(len(notes))) if notes[index].name == name), None)
    return (None, notes) if last is None else (notes[last], notes[last + 1 :])


def judge_going_on(run: OpenRun, now: datetime) -> Judged:
    """Whether a run goes on by itself at an instant of the wall clock."""
    if run.is_held or run.state == RUNNING:
        return Judged(run, NOT_YET, "its process is alive, or was a moment ago")
    if run.state not in (WAITING, STOPPED):
        return Judged(run, NOT_YET, f"it is {run.state}")
    if run.state == WAITING and not _is_answered(run):
        return Judged(run, NOT_YET, "nobody has answered what it waits for")
    if run.state == STOPPED and (why := _stays_cut_off(run, now)):
        return Judged(run, FOR_A_PERSON, why)
    return _tried(run, now) or Judged(run, GOES_ON, _reason(run))


def _is_answered(run: OpenRun) -> bool:
    """Whether somebody has answered; to what nobody answered in time a person tells the agent, by going on with it."""
    return any(one.answer is not None for one in run.requests)


def _stays_cut_off(run: OpenRun, now: datetime) -> str:
    """Why a run whose process died waits for a person; empty where it does not."""
    lost = sorted({entry.intent.tool for entry in run.effects if entry.state(now) not in (DONE, NOT_DONE)})
    if lost:
        return f"its process died, and nobody knows whether {' and '.join(lost)} was done: it can go on once that is settled"
    if run.past.cut_off >= MOST_CUT_OFF:
        return f"its process died again each of the {run.past.cut_off} times that it went on{_because(run)}"
    if utc(now) - utc(run.written) > FRESH:
        return f"its process died more than a day ago, after {utc(run.written):%Y-%m-%d %H:%M} UTC"
    return ""


def _tried(run: OpenRun, now: datetime) -> Judged | None:
    tries = run.past.tries
    if not tries:
        return None
    if len(tries) >= MOST_TRIES:
        return Judged(run, FOR_A_PERSON, f"it was tried {len(tries)} times to go on with it{_because(run)}")
    again = utc(tries[-1]) + len(tries) * PAUSE
    if utc(now) < again:
        return Judged(run, NOT_YET, f"it was tried, and is tried again at {again:%Y-%m-%d %H:%M} UTC{_because(run)}")
    return None


def _reason(run: OpenRun) -> str:
    return "what it waited for was answered" if run.state == WAITING else "its process died"


def _because(run: OpenRun) -> str:
    return f": {run.past.error}" if run.past.error else ""
