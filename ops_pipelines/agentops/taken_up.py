"""A call that a run made before it was cut off or waited, found again by its name when the run goes on.

The request for a person's yes to a named call has an id that is made of the name. So it is found again also where the run
died before it could note that it waits, and each of several calls that were made at once finds its own.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from ops_pipelines.agentops.approval import PENDING, USED, ApprovalStore, Held, judge_use
from ops_pipelines.agentops.call_under_way import Call
from ops_pipelines.agentops.effects import STARTED, UNKNOWN, EffectJournal, Entry, Outcome
from ops_pipelines.agentops.gate_parts import Parts
from ops_pipelines.agentops.gate_refusal import ASK_A_PERSON, Refused, deny, let_pass
from ops_pipelines.agentops.redaction import is_marked
from ops_pipelines.agentops.tool_call import APPROVE, VALIDATE, Answer
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.core.fingerprint import digest_json

IsSame = Callable[[Any], bool]
"""Whether some arguments that were kept are those of a call."""
Told = Callable[[Tool, Call, Entry], Answer]
"""What a call is told that was begun before."""
_TAKEN_OUT = "an argument is the mark of something that was taken out when the run was recorded"
_ASK = "Do not make it up: leave this to a person, or to a run that reads it anew"


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


def take_up(parts: Parts, run: str, call: Call, arguments: Any, is_same: IsSame, told: Told) -> Any:
    """The arguments of a call as it was made before its run went on; the call is given the person's answer to it.

    Refused where they are another call's, or where something in new ones was taken out by the recording. What was kept
    without its secrets is not done again: of an effect that was begun it is `told` what came of it, and all else is refused,
    unless the arguments are those of then to the byte.
    """
    kept = _kept_of(parts, run, call)
    if kept is None:
        if is_marked(arguments):
            raise deny(VALIDATE, _TAKEN_OUT, _ASK)
        return arguments
    if kept.exact and kept.exact == _digest_of(arguments):
        return arguments
    if not is_same(found := json.loads(kept.arguments)):
        raise deny(APPROVE, "what was kept of the call is another call", ASK_A_PERSON)
    if kept.exact:
        call.arguments, call.text, call.exact = found, kept.arguments, kept.exact
        raise _refused(parts, call, kept, told)
    return found


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a call that was made before: the arguments, and by what it is known."""

    arguments: str
    exact: str
    entry: Entry | None = None
    held: Held | None = None


def _kept_of(parts: Parts, run: str, call: Call) -> _Kept | None:
    """What is kept of a call that was begun, or for which a yes was asked; None where there is neither."""
    tool, key = parts.registry.get(call.tool), f"{run}/{call.name}"
    for entry in parts.journal.entries(key) if tool and tool.has_effect else ():
        return _Kept(entry.intent.arguments, entry.intent.exact, entry=entry)
    _, last = request_of(parts.approvals, run, call.name) if tool else ("", None)
    if last is None:
        return None
    if last.state(call.at) not in (
        PENDING,
        USED,
    ):  # one that was used, and by which nothing was begun, is asked for again
        call.approval = call.approval or last.request.id
    return _Kept(last.request.binding.arguments, last.request.binding.exact, held=last)


def _refused(parts: Parts, call: Call, kept: _Kept, told: Told) -> Refused:
    """Why a call of which not all is known any more is not made: it was begun, it is not to be, or nobody knows it whole."""
    tool = parts.registry.get(call.tool)
    if kept.entry and tool:
        call.key = kept.entry.intent.key
        return Refused(told(tool, call, kept.entry))
    if kept.held and kept.held.state(call.at) != USED:
        let_pass(APPROVE, judge_use(kept.held, kept.held.request.binding.digest, call.at), "Go on without it")
    return deny(VALIDATE, _TAKEN_OUT, _ASK)


def _digest_of(arguments: Any) -> str:
    """The digest of some arguments; empty for what is no JSON."""
    try:
        return digest_json(arguments)
    except (TypeError, ValueError, RecursionError):
        return ""


def left_behind(journal: EffectJournal, entry: Entry, at: datetime) -> Entry:
    """An entry of a run that nobody else is at work on: what was begun and not ended is unknown, and written down so."""
    if entry.state(at) != STARTED:
        return entry
    journal.end(entry.intent.key, Outcome(UNKNOWN, "its process ended before it answered"), at=at)
    return journal.entries(entry.intent.key)[0]
