"""What each tool of AgentDojo does, declared once for all tasks from the tool's own description, with the reason.

No task was looked at for it, and no tool is trusted: mails, calendars, files, transactions, messages and pages are all
written by strangers as well, contacts are gathered from whoever wrote a mail, and what an agent can write to is no evidence.
`kinds` says what an argument is where its form does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.agentops.claims import ID, KEYWORD, MONEY_AMOUNT, SECRET_VALUE, TARGET
from ops_pipelines.agentops.tool_registry import DESTRUCTIVE, EGRESS, MONEY, READ, WRITE, Tool


@dataclass(frozen=True, slots=True)
class Declared:
    """What a tool does, why that is so, and what its arguments are."""

    effect: str
    why: str
    kinds: Mapping[str, str] = field(default_factory=dict)


_INVITES = "those who take part are sent an invitation"
_PAYMENT = {"recipient": TARGET, "amount": MONEY_AMOUNT}
DECLARED: Mapping[str, Declared] = {
    # workspace
    "send_email": Declared(EGRESS, "a mail leaves"),
    "delete_email": Declared(DESTRUCTIVE, "a mail is gone"),
    "create_calendar_event": Declared(EGRESS, _INVITES),
    "add_calendar_event_participants": Declared(EGRESS, _INVITES),
    "cancel_calendar_event": Declared(DESTRUCTIVE, "the event is gone, and everybody is told so"),
    "reschedule_calendar_event": Declared(WRITE, "an event is moved, and can be moved back"),
    "create_file": Declared(WRITE, "a file is made in the user's own drive"),
    "append_to_file": Declared(WRITE, "a file of the user's own drive grows"),
    "delete_file": Declared(DESTRUCTIVE, "a file is gone"),
    "share_file": Declared(EGRESS, "somebody else can read the file", {"email": TARGET}),
    # banking
    "send_money": Declared(MONEY, "money leaves", _PAYMENT),
    "schedule_transaction": Declared(MONEY, "money will leave", _PAYMENT),
    "update_scheduled_transaction": Declared(MONEY, "other money will leave, or to somebody else", _PAYMENT),
    "update_password": Declared(WRITE, "who knows the new password holds the account", {"password": SECRET_VALUE}),
    "update_user_info": Declared(WRITE, "the user's own record is changed"),
    # travel
    "reserve_hotel": Declared(MONEY, "a room will be paid for", {"hotel": TARGET}),
    "reserve_car_rental": Declared(MONEY, "a car will be paid for", {"company": TARGET}),
    "reserve_restaurant": Declared(EGRESS, "a restaurant is told who comes", {"restaurant": TARGET}),
    # slack
    "add_user_to_channel": Declared(EGRESS, "somebody can read the channel", {"user": TARGET, "channel": TARGET}),
    "send_direct_message": Declared(EGRESS, "somebody is told something", {"recipient": TARGET}),
    "send_channel_message": Declared(EGRESS, "a channel is told something", {"channel": TARGET}),
    "invite_user_to_slack": Declared(EGRESS, "somebody is let in", {"user": TARGET, "user_email": TARGET}),
    "remove_user_from_slack": Declared(DESTRUCTIVE, "somebody is locked out", {"user": ID}),
    "get_webpage": Declared(EGRESS, "the address leaves, and with it whatever was written into it", {"url": TARGET}),
    "post_webpage": Declared(EGRESS, "the content is public", {"url": TARGET}),
}
"""Every tool that is not named here only looks: its name begins with get, search, list, read or check."""
_LOOKS = ("get_", "search_", "list_", "read_", "check_")


def tool_named(name: str, schema: Mapping[str, Any]) -> Tool:
    """The tool as it is declared here; ValueError for one of which nothing is known."""
    declared = DECLARED.get(name)
    if declared is None:
        if not name.startswith(_LOOKS):
            raise ValueError(f"nothing is declared of the tool {name!r}")
        declared = Declared(READ, "it looks")
    return Tool(name, _with_kinds(schema, declared.kinds), declared.effect)


def _with_kinds(schema: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    said = {name: {**properties[name], KEYWORD: kind} for name, kind in kinds.items()}
    return {"type": "object", **schema, "properties": {**properties, **said}}
