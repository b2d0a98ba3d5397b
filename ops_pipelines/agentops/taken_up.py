"""A call that a run made before it was cut off or waited, found again by its name when the run goes on.

The request for a person's yes to a named call has an id that is made of the name. So it is found again also where the run
died before it could note that it waits, and each of several calls that were made at once finds its own.
"""

from datetime import datetime
from itertools import count
from typing import Any

from ops_pipelines.agentops.approval import ApprovalStore, Held
from ops_pipelines.agentops.effects import STARTED, UNKNOWN, EffectJournal, Entry, Outcome
from ops_pipelines.agentops.gate_call import deny
from ops_pipelines.agentops.redaction import is_marked
from ops_pipelines.agentops.tool_call import VALIDATE
from ops_pipelines.core.fingerprint import digest_json


def request_of(approvals: ApprovalStore, run: str, name: str) -> tuple[str, Held | None]:
    """The id that the next request for a call has, and the last one that was made for it; None for none."""
    last: Held | None = None
    for number in count():
        new = digest_json([run, name, number])[:32]
        held = approvals.held(new)
        if not held:
            return new, last
        last = held[0]
    raise AssertionError


def check_whole(arguments: Any) -> None:
    """Refuses arguments in which something was taken out: the run was told what its recording holds of it."""
    if is_marked(arguments):
        raise deny(
            VALIDATE,
            "an argument is the mark of something that was taken out when the run was recorded",
            "Do not make it up: leave this to a person, or to a run that reads it anew",
        )


def left_behind(journal: EffectJournal, entry: Entry, at: datetime) -> Entry:
    """An entry of a run that nobody else is at work on: what was begun and not ended is unknown, and written down so."""
    if entry.state(at) != STARTED:
        return entry
    journal.end(entry.intent.key, Outcome(UNKNOWN, "its process ended before it answered"), at=at)
    return journal.entries(entry.intent.key)[0]
