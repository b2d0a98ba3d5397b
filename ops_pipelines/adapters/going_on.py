"""Going on with the runs of a home that may: those that a person has answered, and those whose process died.

for judged in open_runs(platform): ...
ran = go_on(platform, run)

Whoever comes first goes on, a person with `ops agent resume` included: the lock of the run, the claim in its log, the
approval that is used once and the journal make every effect happen once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ops_pipelines.adapters.agent_place import environment_of_run
from ops_pipelines.adapters.agents import agent_of_run, recording_in, writer_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.run_lock import AlreadyRunning, is_held, run_held
from ops_pipelines.agentops.approval import Held
from ops_pipelines.agentops.effects import Entry
from ops_pipelines.agentops.going_on import (
    FOR_A_PERSON,
    GOES_ON,
    NOT_YET,
    Judged,
    OpenRun,
    judge_going_on,
    past_of,
    waited_for,
)
from ops_pipelines.agentops.notes import ENDS, HINDERED, TRIED, notebook
from ops_pipelines.agentops.recording import Live, Tape
from ops_pipelines.agentops.run_log import AGENT, RunFilter, Step, has_own_id
from ops_pipelines.agentops.run_named import ALWAYS, run_of
from ops_pipelines.agentops.run_state import DONE, FAILED, STOPPED, WAITING, NotResumable, Ran, last_written, state_of
from ops_pipelines.agentops.step_writer import NotKept
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import NotAllowed, OpsError
from ops_pipelines.core.principal import PROPOSE

LOOKED_BACK = timedelta(days=30)
"""How long ago a run may have begun that is still looked for."""
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class WentOn:
    """What came of a run that was to go on: what it has come to, or what was in the way; neither where others were first."""

    judged: Judged
    ran: Ran | None = None
    error: Exception | None = None

    def to_json(self) -> dict[str, Any]:
        """What came of it as plain JSON."""
        record = self.judged.to_json()
        if self.error:
            return record | {"state": "did not go on", "why": str(self.error)}
        return record | (self.ran.to_json() if self.ran else {})


@dataclass(frozen=True, slots=True)
class _Stores:
    """What a home holds of all runs, by run, read once."""

    requests: dict[str, list[Held]]
    effects: dict[str, list[Entry]]

    @classmethod
    def of(cls, platform: Platform) -> "_Stores":
        requests = _by_run(platform.approvals.held(), lambda held: held.request.binding.run)
        return cls(requests, _by_run(platform.effects.entries(), lambda entry: entry.intent.run))


def open_runs(platform: Platform) -> Iterator[Judged]:
    """The runs of our releases that began lately and have not ended, the newest first, and whether each goes on now."""
    now, stores = platform.clock.wall(), _Stores.of(platform)
    window = Window(now - LOOKED_BACK, ALWAYS.end)
    for one in platform.runs.runs(window, RunFilter(lacks=ENDS), limit=_MOST):
        found = _looked_at(platform, one.run, stores)
        if found and found.state not in (DONE, FAILED):
            yield judge_going_on(found, now)


def stuck_runs(platform: Platform) -> tuple[Judged, ...]:
    """Those that wait for a person to look at them."""
    return tuple(one for one in open_runs(platform) if one.outcome == FOR_A_PERSON)


def go_on_with_all(platform: Platform) -> Iterator[WentOn]:
    """What came of each run that goes on now, one after the other; those that wait for a person come as they stand."""
    for one in list(open_runs(platform)):
        if one.outcome == GOES_ON:
            yield go_on(platform, one.run.run)
        elif one.outcome == FOR_A_PERSON:
            yield WentOn(one)


def go_on(platform: Platform, run: str) -> WentOn:
    """What came of a run once it went on up to its end, or to what it waits for next; looked at anew before.

    It is noted first that it is tried, and afterwards what was in the way. DataError where there is no such run.
    """
    judged = _judged(platform, run)
    if judged.outcome != GOES_ON:  # who only looks holds nobody up
        return WentOn(judged)
    try:
        with run_held(platform.project.home, run):
            return _gone_on(platform, run)
    except (AlreadyRunning, NotResumable, NotKept):  # somebody else was first, on whatever machine
        return WentOn(_judged(platform, run))


def _gone_on(platform: Platform, run: str) -> WentOn:
    """The same for whoever holds the run, from here to where it stops next."""
    judged = _judged(platform, run, holds=True)
    if judged.outcome != GOES_ON:
        return WentOn(judged)
    recording, agent = recording_in(platform, run), judged.run.agent
    try:
        platform.access.whoever_may(PROPOSE, agent, environment_of_run(platform, recording), otherwise=agent)
    except NotAllowed as error:  # that says nothing of the run, and takes none of its tries
        return WentOn(judged, error=error)
    _note(platform, run, TRIED, {})
    try:
        return WentOn(judged, agent_of_run(platform, recording).resume_held(run))
    except NotResumable:
        raise
    except Exception as error:  # whatever is in the way, it is told to whoever looks at the run
        with suppress(OpsError):  # it is counted as a try all the same
            _note(platform, run, HINDERED, {"error": str(error) or type(error).__name__})
        return WentOn(judged, error=error)


def _judged(platform: Platform, run: str, *, holds: bool = False) -> Judged:
    found, now = _looked_at(platform, run, _Stores.of(platform), holds=holds), platform.clock.wall()
    if found is None:
        recording_in(platform, run)
        return Judged(OpenRun(run, "", STOPPED, now), NOT_YET, "it was made by no release of ours")
    return judge_going_on(found, now)


def _looked_at(platform: Platform, run: str, stores: _Stores, *, holds: bool = False) -> OpenRun | None:
    """A run as it stands, for others or for whoever holds it; None where no release of ours made it, as where an MCP
    client's calls are recorded.
    """
    steps = platform.runs.steps(run)
    first = next((step for step in steps if step.kind == AGENT and has_own_id(step)), None)
    if first is None or platform.release(first.agent, first.release) is None:
        return None
    past, state = past_of(steps, lambda note: _noted(platform, note)), state_of(steps, platform.clock.wall())
    return OpenRun(
        run,
        first.agent,
        state,
        last_written(steps),
        is_held=not holds and state in (WAITING, STOPPED) and is_held(platform.project.home, run),
        requests=waited_for(stores.requests.get(run, ()), past),
        effects=tuple(stores.effects.get(run, ())),
        past=past,
    )


def _noted(platform: Platform, note: Step) -> dict[str, Any]:
    payload = platform.runs.payload(note.inputs)
    found = payload.shown() if payload else {}
    return found if isinstance(found, dict) else {}


def _note(platform: Platform, run: str, name: str, what: dict[str, Any]) -> None:
    """Keep a note in the log of a run that others may write to as well."""
    steps = platform.runs.steps(run)
    first = next(step for step in steps if step.kind == AGENT and has_own_id(step))
    now = platform.clock.wall
    tape = Tape(run, Live(now), writer_of(platform), first.release)
    notebook(tape, first.agent, first.id, now, steps).decide(name, {"at": now().isoformat(), **what})


def _by_run(every: Iterable[Any], named: Callable[[Any], str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for one in every:
        found[run_of(named(one))].append(one)
    return found
