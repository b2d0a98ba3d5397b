"""By whose authority an approved call acts: the agent may propose it, and the person who said yes may approve it.

An agent's own principal only proposes. So what it does by an approval is authorised by two: the requester, who may propose
on that system, and the approver, who may approve or roll back there, both at the moment of the act and not at that of the
asking: somebody whose token was revoked meanwhile has approved nothing. The approval has to be the one that was used for
this very call.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from ops_pipelines.agentops.approval import Held
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.core.principal import APPROVE, PROPOSE, ROLL_BACK, Principal, authorise
from ops_pipelines.core.verdict import Blocked, Passed, Verdict, reasons_of


def judge_approved(
    held: Held | None, call: Intent, system: str, environment: str, *, everybody: Sequence[Principal], now: datetime
) -> Verdict:
    """Passed where a call may act on a system by its approval; Blocked with what is wrong with it, or who may not.

    `held` is what is kept of the approval that the call names. `everybody` is what the store of principals knows; where
    nobody is registered, any two names will do.
    """
    wrong = _of_this_call(held, call, system)
    if wrong or held is None or held.answer is None:
        return Blocked((wrong or "there is no such approval",))
    asked = named_may(held.request.requester, (PROPOSE,), system, environment, everybody=everybody, now=now)
    answered = named_may(held.answer.approver, (APPROVE, ROLL_BACK), system, environment, everybody=everybody, now=now)
    reasons = (*reasons_of(asked), *reasons_of(answered))
    return Blocked(reasons) if reasons else Passed({"by": by_both(held.request.requester, held.answer.approver)})


def named_may(
    name: str, actions: Sequence[str], system: str, environment: str, *, everybody: Sequence[Principal], now: datetime
) -> Verdict:
    """Passed where the principal of a name may do one of some things to a system; Blocked with who lacks what.

    Who it is was found out before. Where nobody is registered everything passes.
    """
    principal = next((one for one in everybody if one.name == name), None)
    if everybody and principal is None:
        return Blocked((f"{name} is no principal here",))
    found = [authorise(principal, one, system, environment, everybody=everybody, now=now) for one in actions]
    return next((one for one in found if isinstance(one, Passed)), found[0])


def by_both(requester: str, approver: str) -> str:
    """How a history names who did what was approved.

    >>> by_both("oncall", "ben")
    'oncall, approved by ben'
    """
    return f"{requester}, approved by {approver}"


def _of_this_call(held: Held | None, call: Intent, system: str) -> str:
    """Why an approval is not that of a call on a system; empty where it is."""
    if held is None or not call.approval or held.request.id != call.approval:
        return "there is no such approval"
    if held.answer is None or not held.answer.granted:
        return f"the approval {held.request.id} was not granted"
    if held.used_at is None:
        return f"the approval {held.request.id} was not used for a call"
    if part := held.request.asked_for_by(held.answer.approver):
        return f"the approval {held.request.id} was given by who {part}"
    bound = held.request.binding
    asked, made = (held.request.tool, bound.arguments_digest, bound.run, bound.release), (call.tool, call.digest)
    if asked != (*made, call.run, call.release):
        return f"the approval {held.request.id} is of another call"
    named = json.loads(call.arguments).values()
    return "" if system in named else f"the approval {held.request.id} says nothing of {system}"
