"""Who lets `oncall` roll back: its own principal proposes, a person approves, and both may still do so when it is done."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.agentops.run_state import WAITING
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.principal import revoke
from ops_pipelines.core.verdict import Passed
from ops_pipelines.testing.watched_system import principal


def moves(platform):
    return [(move.action, move.actor) for move in platform.releases.history("flight_delay", "production")]


def rolled_back(platform):
    return [actor for action, actor in moves(platform) if action == "rollback"]


@pytest.fixture
def principals(platform, watched, monkeypatch):
    """Makes the agent's own principal, which only proposes and whose token this process has."""

    def make():
        monkeypatch.setenv("OPS_TOKEN", principal(platform, "oncall", "proposer"))

    return make


def test_what_a_person_approved_is_done_once_and_the_history_names_both(oncall, waiting, say, platform):
    say(waiting)
    ended = oncall.resume(waiting.run)
    assert ended.result["did"] == "roll back"
    assert rolled_back(platform) == ["oncall, approved by ben"]


def test_of_two_who_resume_at_once_one_does_it(oncall, waiting, say, platform):
    say(waiting)

    def resumed(_):
        try:
            return oncall.resume(waiting.run).state
        except NotAllowed:
            return "refused"

    with ThreadPoolExecutor(2) as pool:
        assert "done" in list(pool.map(resumed, range(2)))
    assert rolled_back(platform) == ["oncall, approved by ben"]


def test_nobody_answered_and_nothing_is_done(oncall, waiting, platform):
    assert oncall.resume(waiting.run).state == WAITING
    assert rolled_back(platform) == []


def test_the_agent_does_not_approve_what_it_asks_for(oncall, waiting, say, platform):
    assert not isinstance(say(waiting, by="OnCall"), Passed)
    assert oncall.resume(waiting.run).state == WAITING
    assert rolled_back(platform) == []


def test_an_approval_that_expired_does_nothing_and_people_are_told(oncall, watched, say, platform, capsys):
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.6))
    hasty = Budgets(limits=Limits(approval=timedelta(microseconds=1)))
    oncall = replace(oncall, agent=replace(oncall.agent, budgets=hasty))
    ran = oncall.start({"alarm": watched.alarm()})
    assert not isinstance(say(ran), Passed)
    assert "has expired" in oncall.resume(ran.run).result["why"]
    assert rolled_back(platform) == []


def test_a_refusal_does_nothing_and_people_are_told(oncall, waiting, say, platform, capsys):
    say(waiting, granted=False)
    assert oncall.resume(waiting.run).result["did"] == "notify"
    assert "was not done" in capsys.readouterr().out
    assert rolled_back(platform) == []


def test_people_are_told_without_a_secret_whatever_the_agent_says(oncall, capsys):
    key = "sk-" + "live-9f8K2mQxT7vRw3ZbN6pLc4Yd"
    oncall.functions["notify"]({"text": f"Both weeks are worse. The key is {key}."})
    said = capsys.readouterr().out
    assert ("Both weeks are worse" in said, key in said) == (True, False)


def test_the_agents_principal_proposes_and_that_of_an_approver_approves(
    oncall, watched, waiting, principals, platform, say
):
    principals()
    principal(platform, "ben", "approver", "flight_delay")
    say(waiting)
    assert oncall.resume(waiting.run).result["did"] == "roll back"
    assert rolled_back(platform) == ["oncall, approved by ben"]


@pytest.mark.parametrize(("role", "system"), [("proposer", "*"), ("approver", "flight_duration"), ("caller", "*")])
def test_somebody_who_may_not_approve_there_has_approved_nothing(
    oncall, waiting, principals, platform, say, role, system
):
    principals()
    principal(platform, "ben", role, system)
    say(waiting)
    ended = oncall.resume(waiting.run)
    assert "ben may not" in ended.result["why"]
    assert rolled_back(platform) == []


def test_a_name_without_a_principal_has_approved_nothing(oncall, waiting, principals, platform, say):
    principals()
    say(waiting)
    assert "ben is no principal here" in oncall.resume(waiting.run).result["why"]
    assert rolled_back(platform) == []


def test_an_approver_whose_token_was_revoked_meanwhile_has_approved_nothing(oncall, waiting, principals, platform, say):
    principals()
    principal(platform, "ben", "approver")
    say(waiting)
    store = platform.principals
    store.register(revoke(store.everybody(), "ben", by="root", at=platform.clock.wall()))
    assert "was revoked" in oncall.resume(waiting.run).result["why"]
    assert rolled_back(platform) == []


def test_an_agent_that_may_not_propose_there_does_nothing(oncall, waiting, platform, say, monkeypatch):
    monkeypatch.setenv("OPS_TOKEN", principal(platform, "oncall", "proposer", "oncall"))
    principal(platform, "ben", "approver")
    say(waiting)
    assert "oncall may not" in oncall.resume(waiting.run).result["why"]
    assert rolled_back(platform) == []


@pytest.mark.parametrize(
    ("to", "why"), [("ffffffffffff", "occurs nowhere"), ("never live", "was never live"), ("live", "or is live now")]
)
def test_a_release_that_is_made_up_or_was_never_live_is_not_rolled_back_to(oncall, watched, platform, say, to, why):
    _, second = watched.releases("first", "second")
    known = {"never live": watched.release("third")[:12], "live": second[:12]}

    def program(session):
        session.tool("model_history", system="flight_delay")
        wanted = {"to": known.get(to, to), "seen": second[:12], "reason": "I think so"}
        return session.tool("roll_back", system="flight_delay", **wanted).reason

    acting = replace(oncall, program=program)
    ran = acting.start({"system": "flight_delay"})
    if ran.state == WAITING:
        say(ran)
        ran = acting.resume(ran.run)
    assert why in ran.result
    assert rolled_back(platform) == []


def test_another_release_that_went_live_meanwhile_is_not_rolled_over(oncall, watched, waiting, say, platform):
    third = watched.release("third")
    platform.promote("flight_delay", third, actor="anna", reason="its gate passed")
    say(waiting)
    assert "was live when this was decided" in oncall.resume(waiting.run).result["why"]
    assert (watched.live(), rolled_back(platform)) == (third, [])


def test_an_agent_without_a_person_may_not_roll_back_by_its_own_token(oncall, waiting, principals, platform):
    principals()
    with pytest.raises(NotAllowed, match="oncall may not"):
        platform.roll_back("flight_delay", None, actor="oncall", reason="I think so")


def test_a_retraining_needs_the_agents_own_right_to_propose(oncall, watched, platform, monkeypatch, capsys):
    watched.releases("first")
    watched.week(loss=0.7)
    monkeypatch.setenv("OPS_TOKEN", principal(platform, "oncall", "proposer", "oncall"))
    ran = oncall.start({"alarm": watched.alarm()})
    assert "a retraining was not asked for: oncall may not" in ran.result["why"]
    assert platform.retraining.requests("flight_delay") == ()
