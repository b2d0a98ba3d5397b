"""Reading a run log from where one stopped, and taking from it what is kept elsewhere.

Whoever makes a copy of the log (a page for people, a table in a lake) follows it by the number of the last step that it
has: numbers grow in the order in which steps were kept, none is given twice, and a step that was seen never changes.
What a FollowedRunLog guarantees is checked by `ops_pipelines.testing.run_following`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from ops_pipelines.agentops.run_log import Entry, RunLog, Step

BEGINNING = 0
"""The cursor of whoever has seen nothing: numbers begin after it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A step with the number under which a log keeps it."""

    sequence: int
    step: Step


class FollowedRunLog(RunLog, Protocol):
    """A RunLog that can be followed, and from which runs can be taken."""

    def steps_after(self, cursor: int, *, limit: int = 1000) -> tuple[Kept, ...]:
        """The steps whose numbers are greater than a cursor, of whatever run, in order; empty where there is none."""

    def last_sequence(self) -> int:
        """The number of the step that was kept last; BEGINNING where none was."""

    def forget(self, runs: Collection[str]) -> int:
        """Remove whole runs, and the payloads that no step names any more; how many steps went.

        The run of the step that was kept last stays, so that its number is not given again.
        """


def entry_kept(log: RunLog, step: Step) -> Entry:
    """A step with its payloads, as far as the log still has them."""
    found = (log.payload(digest) for digest in sorted({step.inputs, step.outputs} - {""}))
    return Entry(step, tuple(payload for payload in found if payload is not None))
