"""What came of an effect, as the journal keeps it and as the agent is told."""

import json
from datetime import datetime

from ops_pipelines.agentops.effects import DONE, NOT_DONE, STARTED, UNKNOWN, Entry, Intent, Outcome
from ops_pipelines.agentops.tool_call import EXECUTE, Answer, Denied, Done, EffectNotDone
from ops_pipelines.agentops.tool_run import Ran


def outcome_of(ran: Ran) -> Outcome:
    """What came of an effect: an error leaves it unknown, unless the tool itself says that nothing was done."""
    if not ran.in_time:
        return Outcome(UNKNOWN, "it has not answered in time")
    if isinstance(ran.error, EffectNotDone):
        return Outcome(NOT_DONE, str(ran.error) or "it was not done")
    if ran.error is not None:
        return Outcome(UNKNOWN, f"{type(ran.error).__name__}: {ran.error}"[:2000])
    return Outcome(DONE, ran.text)


def answer_of(entry: Entry, intent: Intent, at: datetime) -> Answer:
    """What a call is told whose effect was started before."""
    if not entry.intent.is_as(intent):
        do = "Give each step a call_id of its own"
        return Denied(EXECUTE, f"the step {intent.key} was another call before", do)
    state = entry.state(at)
    if state == DONE and entry.outcome is not None:
        return Done(json.loads(entry.outcome.result), repeated=True)
    if state == NOT_DONE and entry.outcome is not None:
        do = "Make it as a new step, if it is still wanted"
        why = f"it was tried before and not done: {entry.outcome.result}"
        return Denied(EXECUTE, why, do, can_retry=True, quotes=True)
    if state == STARTED:
        return Denied(EXECUTE, f"{intent.tool} is being done by another call", "Wait for what comes of it")
    if entry.outcome is None:
        return unknown_answer(intent.tool, "its process ended before it answered")
    return unknown_answer(intent.tool, entry.outcome.result, quotes=True)


def unknown_answer(tool: str, why: str, *, quotes: bool = False) -> Denied:
    """What an agent is told where nobody knows what came of an effect; see Denied for `quotes`."""
    reason = f"nobody knows whether {tool} was done: {why}"
    do = "Never repeat it. A person has to find out what came of it"
    return Denied(EXECUTE, reason, do, is_unknown=True, quotes=quotes)
