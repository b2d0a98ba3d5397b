"""An agent's release on a platform: started, suspended, approved, resumed, replayed, forked."""

from dataclasses import replace

import pytest

from ops_pipelines.adapters.agents import agent_of_run, live_agent, recording_in
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.fork import NewResult
from ops_pipelines.agentops.run_state import DONE, WAITING
from ops_pipelines.core.errors import ConfigError, NotAllowed
from ops_pipelines.testing.refund_agent import paid, refund_agent, released

TASK = {"order": "A17"}


@pytest.fixture
def platform(empty_project):
    return Platform.embedded(find_project(empty_project))


@pytest.fixture
def agent(platform):
    released(platform, refund_agent())
    return live_agent(platform, "refunds")


def say(agent, ran, *, granted, by="ben"):
    approvals = agent.platform.approvals
    return approvals.answer(ran.waits["approval"], Answer(by, granted, agent.platform.clock.wall()))


def test_a_run_waits_for_a_person_and_goes_on_where_it_stood(agent):
    ran = agent.start(TASK)
    assert ran.state == WAITING
    assert paid(agent.platform.project.home) == []
    say(agent, ran, granted=True)
    ended = agent.resume(ran.run)
    assert (ended.state, ended.result) == (DONE, {"paid": 1200})
    assert [next(iter(one)) for one in paid(agent.platform.project.home)] == ["refund", "note"]


def test_a_run_that_died_before_its_first_call_goes_on_where_it_began(agent):
    def killed(session):
        raise KeyboardInterrupt

    staged = replace(agent, program=killed, environment="staging")
    with pytest.raises(KeyboardInterrupt):
        staged.start(TASK, run="r" * 32)
    assert agent_of_run(agent.platform, recording_in(agent.platform, "r" * 32)).environment == "staging"


def test_a_run_that_is_resumed_before_anybody_answered_waits_on(agent):
    ran = agent.start(TASK)
    again = agent.resume(ran.run)
    assert (again.state, again.waits["approval"]) == (WAITING, ran.waits["approval"])
    assert len(agent.platform.approvals.held()) == 1


def test_a_refusal_is_told_to_the_agent(agent):
    ran = agent.start(TASK)
    say(agent, ran, granted=False)
    ended = agent.resume(ran.run)
    assert "refused" in ended.result
    assert paid(agent.platform.project.home) == []


def test_an_agent_cannot_approve_what_it_asks_for(agent):
    ran = agent.start(TASK)
    say(agent, ran, granted=True, by="refunds")
    assert agent.resume(ran.run).state == WAITING


def test_a_run_that_has_ended_is_not_resumed(agent):
    ran = agent.start(TASK)
    say(agent, ran, granted=True)
    agent.resume(ran.run)
    with pytest.raises(NotAllowed, match="is done"):
        agent.resume(ran.run)


def test_a_resumed_run_replays_identically_and_does_nothing(agent):
    ran = agent.start(TASK)
    say(agent, ran, granted=True)
    agent.resume(ran.run)
    before = paid(agent.platform.project.home)
    replayed = agent.replay(ran.run)
    assert replayed.identical
    assert replayed.result["result"] == {"paid": 1200}
    assert paid(agent.platform.project.home) == before


def test_a_fork_asks_before_it_does_what_the_run_did_not(agent):
    ran = agent.start(TASK)
    say(agent, ran, granted=True)
    agent.resume(ran.run)
    forked = agent.fork(
        ran.run, at=1, edit=NewResult({"status": "done", "result": {"id": "A17", "amount_cents": 9900}})
    )
    assert forked.result["state"] == WAITING
    assert forked.result["waits"]["arguments"] == {"order": "A17", "amount_cents": 9900}
    assert len(paid(agent.platform.project.home)) == 2


def test_a_fork_does_not_repeat_what_the_run_did(agent):
    ran = agent.start(TASK)
    say(agent, ran, granted=True)
    agent.resume(ran.run)
    forked = agent.fork(ran.run, at=2)
    assert forked.result["state"] == DONE
    assert len(forked.repeated) == 2
    assert len(paid(agent.platform.project.home)) == 2


def test_a_release_whose_code_is_not_installed_is_not_opened(platform):
    agent = refund_agent()
    released(platform, agent)
    manifest = platform.releases.releases("refunds")[0].manifest
    code = {"ops_pipelines.testing/refund_agent.py": "something else"}
    from dataclasses import replace

    from ops_pipelines.adapters.agents import equipped, open_agent

    other = replace(equipped(platform, "refunds", agent), code=code)
    for content in other.contents().values():
        platform.objects.put(content)
    with pytest.raises(ConfigError, match="its code is another here"):
        open_agent(platform, other.manifest("refunds"))
    assert open_agent(platform, manifest).name == "refunds"


def test_the_agent_of_a_run_is_the_release_that_made_it(agent):
    ran = agent.start(TASK)
    found = agent_of_run(agent.platform, agent.recording(ran.run))
    assert found.manifest == agent.manifest
