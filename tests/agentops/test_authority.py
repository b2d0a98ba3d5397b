"""Whether an approval lets a call act: it is the one that was used for it, and both who stand behind it may still."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ops_pipelines.agentops.approval import Answer, Binding, Held, Request
from ops_pipelines.agentops.authority import judge_approved
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.core.verdict import Passed, reasons_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CALL = Intent("key", "roll_back", '{"system":"flight_delay","to":"r6"}', "run-1", "release-1", "yes-1")
BOUND = Binding("tool", CALL.arguments, CALL.run, CALL.release, "policy")
ASKED = Request("yes-1", "oncall", "roll_back", BOUND, "why", NOON, NOON + timedelta(hours=1))
HELD = Held(ASKED, Answer("ben", granted=True, at=NOON), used_at=NOON)


def judged(held, call=CALL, system="flight_delay"):
    return judge_approved(held, call, system, "production", everybody=(), now=NOON)


def test_an_approval_that_was_used_for_this_call_lets_it_act_in_both_names():
    found = judged(HELD)
    assert isinstance(found, Passed)
    assert found.evidence["by"] == "oncall, approved by ben"


@pytest.mark.parametrize(
    ("held", "call", "system", "why"),
    [
        (None, CALL, "flight_delay", "there is no such approval"),
        (HELD, replace(CALL, approval=""), "flight_delay", "there is no such approval"),
        (HELD, replace(CALL, approval="yes-2"), "flight_delay", "there is no such approval"),
        (Held(ASKED), CALL, "flight_delay", "was not granted"),
        (Held(ASKED, Answer("ben", granted=False, at=NOON), NOON), CALL, "flight_delay", "was not granted"),
        (replace(HELD, used_at=None), CALL, "flight_delay", "was not used for a call"),
        (HELD, replace(CALL, arguments=CALL.arguments.replace("r6", "r7")), "flight_delay", "is of another call"),
        (HELD, replace(CALL, run="run-2"), "flight_delay", "is of another call"),
        (HELD, replace(CALL, release="release-2"), "flight_delay", "is of another call"),
        (HELD, replace(CALL, tool="retrain"), "flight_delay", "is of another call"),
        (HELD, CALL, "flight_duration", "says nothing of flight_duration"),
        (
            replace(HELD, request=replace(ASKED, started_by="ben")),
            CALL,
            "flight_delay",
            "was given by who started the run",
        ),
    ],
)
def test_any_other_approval_lets_nothing_act(held, call, system, why):
    assert why in reasons_of(judged(held, call, system))[0]
