"""The program of `oncall`: it looks, decides by rules or lets a model plan, does one thing, and says what it did.

Without `settings.model` it plans by the rules of `deciding`, needs no network, and is the same every time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ops_pipelines.agentops.session import Session
from ops_pipelines.agentops.tool_call import Denied
from ops_pipelines.defs.agentops.oncall.deciding import NOTHING, NOTIFY, RETRAIN, ROLL_BACK, Plan, Thresholds, decide
from ops_pipelines.defs.agentops.oncall.incidents import done_lately, recalled, remember

QUESTION = "What should be done about a {finding} alarm of a model?"


def program(session: Session) -> dict[str, Any]:
    """What was done about an alarm, and why.

    The task is `{"alarm": {...}}`, an alarm of the inbox as JSON; without one there is nothing to do.

    The result says what was done (`nothing`, `roll back`, `retrain`, `notify`), why, and what came of it.
    """
    alarm = (session.task or {}).get("alarm")
    if not alarm:
        return {"did": NOTHING, "why": "there is no alarm"}
    if session.settings.get("model"):
        from ops_pipelines.defs.agentops.oncall.by_model import pin_of, plan_by_model

        if pin := pin_of(session):
            return plan_by_model(session, pin)
    before = recalled(session, alarm["system"])
    plan = _planned(session, alarm, before)
    session.decide("plan", {"action": plan.action, "why": plan.why, "to": plan.to})
    if plan.action == NOTHING:
        return {"did": NOTHING, "why": plan.why}
    done = _carried_out(session, alarm, plan)
    remember(session, before, alarm, str(done["did"]))
    return done


def _carried_out(session: Session, alarm: dict[str, Any], plan: Plan) -> dict[str, Any]:
    advice = _advice(session, alarm)
    if plan.action == ROLL_BACK:
        return _rolled_back(session, alarm, plan, advice)
    if plan.action == RETRAIN:
        return _retrained(session, alarm, plan, advice)
    return _told(session, alarm, plan.why, advice)


def _planned(session: Session, alarm: dict[str, Any], before: Sequence[Mapping[str, Any]]) -> Plan:
    """What the rules say to what the tools say and to what was done before; a tool that says nothing is unclear."""
    rule = Thresholds(**session.settings.get("thresholds", {}))
    plan = _by_the_numbers(session, alarm, rule)
    again = done_lately(before, ROLL_BACK, alarm["week"], weeks=rule.recent_weeks)
    if plan.action == ROLL_BACK and again:
        return Plan(NOTIFY, f"{plan.why}; it was rolled back because of {again} already, and not to and fro")
    return plan


def _by_the_numbers(session: Session, alarm: dict[str, Any], rule: Thresholds) -> Plan:
    report = session.tool("drift_report", system=alarm["system"], week=alarm["week"])
    if isinstance(report, Denied):
        return Plan(NOTIFY, f"the report cannot be read: {report.reason}")
    history = session.tool("model_history", system=alarm["system"])
    if isinstance(history, Denied):
        return Plan(NOTIFY, f"the history cannot be read: {history.reason}")
    if report.truncated or history.truncated:
        return Plan(NOTIFY, "the report or the history was too long to be read whole")
    return decide(report.result, history.result, rule)


def _advice(session: Session, alarm: dict[str, Any]) -> list[str]:
    """The documents in which the runbooks say what to do, for the person who decides; nothing is done because of them."""
    found = session.tool("ask_runbooks", question=QUESTION.format(finding=alarm["finding"].replace("_", " ")))
    return [] if isinstance(found, Denied) else list(found.result["documents"])


def _rolled_back(session: Session, alarm: dict[str, Any], plan: Plan, advice: list[str]) -> dict[str, Any]:
    done = session.tool("roll_back", system=alarm["system"], to=plan.to, seen=plan.seen, reason=plan.why)
    if isinstance(done, Denied):
        return _told(session, alarm, f"a rollback to {plan.to} was not done: {done.reason}. Because {plan.why}", advice)
    return {"did": ROLL_BACK, "why": plan.why, "came of it": done.result, "read": advice}


def _retrained(session: Session, alarm: dict[str, Any], plan: Plan, advice: list[str]) -> dict[str, Any]:
    done = session.tool("retrain", system=alarm["system"], alarm=alarm["key"], reason=plan.why)
    if isinstance(done, Denied):
        return _told(session, alarm, f"a retraining was not asked for: {done.reason}. Because {plan.why}", advice)
    return {"did": RETRAIN, "why": plan.why, "came of it": done.result, "read": advice}


def _told(session: Session, alarm: dict[str, Any], why: str, advice: list[str]) -> dict[str, Any]:
    """A person is told, and nothing else is done; where even that was refused, the result says so."""
    read = f" Read: {', '.join(advice)}." if advice else ""
    text = f"{alarm['system']} {alarm['finding']}, week {alarm['week']}: a person has to look. {why}.{read}"
    told = session.tool("notify", text=text)
    failed = {"not told": told.reason} if isinstance(told, Denied) else {}
    return {"did": NOTIFY, "why": why, "read": advice, **failed}
