"""Runs that begin elsewhere and go on here: steps of this process are added to a run under the step that asked for them.

Steps of one kind and name under one parent are told apart by their numbers, which nobody hands from process to process. So
what the log has of a run is read when the run comes here, and again where another process was first.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from ops_pipelines.agentops.notes import JOINED
from ops_pipelines.agentops.recording import Live, Scope, Tape
from ops_pipelines.agentops.run_log import AGENT, Step
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import DataError

_TRIES, _MOST = 5, 1000


@dataclass(frozen=True, slots=True)
class RunLogged:
    """Where runs are recorded: `writer` keeps steps, `steps` are those of a run that are kept already.

    `light` keeps the steps of calls that changed nothing, where these need not survive a power cut.
    """

    writer: Writer
    steps: Callable[[str], tuple[Step, ...]]
    light: Writer | None = None


class JoinedRuns:
    """The runs that were joined lately; safe from several threads."""

    def __init__(self, logged: RunLogged, now: Callable[[], datetime], *, release: str = "") -> None:
        self.logged = logged
        self._now, self._release, self._lock = now, release, Lock()
        self._tapes: OrderedDict[str, Tape] = OrderedDict()

    def begin(self, agent: str, task: Any = None, *, run: str, parent: str = "") -> Scope:
        """The scope of an agent in a run, under the step that asks for it; DataError where that cannot be kept."""
        for _ in range(_TRIES - 1):
            try:
                return self._tape(run).begin(agent, task, parent=parent, decision=JOINED)
            except DataError:
                with self._lock:
                    self._tapes.pop(run, None)  # another process may have taken the place: read what is there by now
        return self._tape(run).begin(agent, task, parent=parent, decision=JOINED)

    def _tape(self, run: str) -> Tape:
        with self._lock:
            known = self._tapes.pop(run, None)
            source = Live(self._now)
            if known is None:
                for step in self.logged.steps(run):
                    if step.kind == AGENT:
                        source.occurrences.reserve((step.parent, step.kind, step.name), step.occurrence)
            self._tapes[run] = tape = known or Tape(run, source, self.logged.writer, self._release)
            while len(self._tapes) > _MOST:
                self._tapes.popitem(last=False)
            return tape
