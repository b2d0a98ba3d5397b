"""A call that a run made before it was cut off or waited, found again by its name when the run goes on.

The request for a person's yes to a named call has an id that is made of the name. So it is found again also where the run
died before it could note that it waits, and each of several calls that were made at once finds its own.
"""

import json
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from ops_pipelines.agentops.approval import PENDING, USED, ApprovalStore, Held
from ops_pipelines.agentops.call_under_way import Call
from ops_pipelines.agentops.effects import STARTED, UNKNOWN, EffectJournal, Entry, Outcome
from ops_pipelines.agentops.gate_parts import Parts
from ops_pipelines.agentops.gate_refusal import ASK_A_PERSON, deny
from ops_pipelines.agentops.redaction import is_marked
from ops_pipelines.agentops.tool_call import APPROVE, VALIDATE
from ops_pipelines.core.fingerprint import digest_json

IsSame = Callable[[Any], bool]
"""Whether some arguments that were kept are those of a call."""
_TAKEN_OUT = "an argument is the mark of something that was taken out when the run was recorded"


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


def take_up(parts: Parts, run: str, call: Call, arguments: Any, is_same: IsSame) -> Any:
    """The arguments of a call as it was made before its run went on; the call is given the person's answer to it.

    Refused where they are another call's, or where something in new ones was taken out by the recording.
    """
    kept = _kept_of(parts, run, call)
    if kept is None:
        if is_marked(arguments):
            raise deny(
                VALIDATE, _TAKEN_OUT, "Do not make it up: leave this to a person, or to a run that reads it anew"
            )
        return arguments
    if not is_same(found := json.loads(kept)):
        raise deny(APPROVE, "what was kept of the call is another call", ASK_A_PERSON)
    return found


def _kept_of(parts: Parts, run: str, call: Call) -> str | None:
    """The arguments of a call that was begun, or for which a yes was asked, as JSON; None where there is neither."""
    tool = parts.registry.get(call.tool)
    for entry in parts.journal.entries(f"{run}/{call.name}") if tool and tool.has_effect else ():
        return entry.intent.arguments
    _, last = request_of(parts.approvals, run, call.name) if tool else ("", None)
    if last is None:
        return None
    if last.state(call.at) not in (
        PENDING,
        USED,
    ):  # one that was used, and by which nothing was begun, is asked for again
        call.approval = call.approval or last.request.id
    return last.request.binding.arguments


def left_behind(journal: EffectJournal, entry: Entry, at: datetime) -> Entry:
    """An entry of a run that nobody else is at work on: what was begun and not ended is unknown, and written down so."""
    if entry.state(at) != STARTED:
        return entry
    journal.end(entry.intent.key, Outcome(UNKNOWN, "its process ended before it answered"), at=at)
    return journal.entries(entry.intent.key)[0]
