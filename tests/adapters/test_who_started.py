"""Who has an agent start says yes to none of its calls, whoever goes on with its run."""

from dataclasses import replace
from pathlib import Path

import pytest

from ops_pipelines.adapters.access import TOKEN, new_token
from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.approvals import answer_approval
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.approval import Request
from ops_pipelines.agentops.run_log import recording_of
from ops_pipelines.agentops.run_state import where_started, who_started
from ops_pipelines.agentops.step_writer import NotKept
from ops_pipelines.agentops.tool_registry import ToolRegistry
from ops_pipelines.apps.tool_gateway.config import GatewayConfig
from ops_pipelines.apps.tool_gateway.gateway import Offered
from ops_pipelines.apps.tool_gateway.released import sessions_of_release
from ops_pipelines.apps.tool_gateway.serving import sessions_of
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.principal import Grant, add, token_digest
from ops_pipelines.core.verdict import reasons_of
from ops_pipelines.testing.approval_store import request_of
from ops_pipelines.testing.refund_agent import POLICY, refund_agent, released

TASK = {"order": "A17"}
RUN = "d" * 32
ADA, BEN = "ada@example.com", "ben"
ALL_ASK = POLICY.replace('["read", "write"].contains(resource.effect)', 'resource.effect == "read" || context.approved')


@pytest.fixture
def platform(empty_project):
    return Platform.embedded(find_project(empty_project))


@pytest.fixture
def agent(platform):
    released(platform, refund_agent(policy=ALL_ASK))
    return live_agent(platform, "refunds")


@pytest.fixture
def acting(platform, monkeypatch):
    """Who acts from now on, of two who may both propose and approve."""
    tokens = {ADA: new_token(), BEN: new_token()}
    grants, now = [Grant(role) for role in ("admin", "proposer", "approver")], platform.clock.wall()
    for name, token in tokens.items():
        known = platform.principals.everybody()
        platform.principals.register(add(known, name, grants, digest=token_digest(token), by=ADA, at=now))
    return lambda name: monkeypatch.setenv(TOKEN, tokens[name])


def said_to(agent, ran):
    return answer_approval(agent.platform, ran.waits["approval"], granted=True, otherwise="somebody")


def test_nobody_approves_what_an_agent_asks_for_in_a_run_that_they_started(agent, acting):
    acting(ADA)
    ran = agent.start(TASK)
    (why,) = reasons_of(said_to(agent, ran).verdict)
    assert why == f"{ADA} started the run that asks for it, and another principal has to approve it"
    acting(BEN)
    assert said_to(agent, ran).counts


def test_who_started_a_run_may_say_no_to_what_its_agent_asks_for(agent, acting):
    acting(ADA)
    ran = agent.start(TASK)
    assert answer_approval(agent.platform, ran.waits["approval"], granted=False, otherwise="somebody").counts


def test_a_run_keeps_who_started_it_whoever_goes_on_with_it(agent, acting):
    acting(ADA)
    ran = agent.start(TASK)
    acting(BEN)
    said_to(agent, ran)
    later = agent.resume(ran.run)
    assert later.waits["tool"] == "note"
    acting(ADA)
    assert not said_to(agent, later).counts
    assert agent.replay(ran.run).identical


def test_who_forks_a_run_approves_nothing_in_the_fork(agent, acting):
    acting(ADA)
    ran = agent.start(TASK)
    acting(BEN)
    forked = agent.fork(ran.run, at=1)
    (held,) = [one for one in agent.platform.approvals.held() if one.request.binding.run == forked.run]
    recording = recording_of(agent.platform.runs, forked.run)
    assert (held.request.started_by, who_started(recording, [BEN])) == (BEN, BEN)


class Died(BaseException):
    """A process that ends here."""


@pytest.mark.parametrize("kept", range(3))
def test_whenever_a_process_dies_nobody_goes_on_with_its_run_as_if_it_were_anothers(agent, kept):
    conductor, count = replace(agent, environment="staging").conductor(BEN), iter(range(kept))

    def keep(entries):
        if next(count, None) is None:
            raise Died
        return agent.platform.runs.append(entries)

    with pytest.raises(Died):
        replace(conductor, writer=replace(conductor.writer, keep=keep)).start(RUN, TASK)
    if (recording := recording_of(agent.platform.runs, RUN)).steps:
        assert (where_started(recording), who_started(recording, [])) == ("staging", BEN)


def test_whoever_starts_a_run_that_was_begun_is_not_who_started_it(agent, acting):
    agent.conductor().start(RUN, TASK)
    acting(BEN)
    with pytest.raises(NotKept, match="begun before"):
        agent.start(TASK, run=RUN)
    assert who_started(recording_of(agent.platform.runs, RUN), [BEN]) == ""


def test_who_serves_a_gateway_started_what_comes_through_it(agent, acting):
    acting(ADA)
    config = GatewayConfig(agent="clerk", policy=Path("policy"), servers=())
    offered = Offered(ToolRegistry(), {}, {})
    served = [sessions_of_release(agent), sessions_of(config, agent.agent.policy, agent.platform, offered)]
    assert [one.terms.started_by for one in served] == [ADA, ADA]


def test_a_gateway_is_not_served_where_principals_are_known_and_no_token_is_given(agent, acting, monkeypatch):
    monkeypatch.delenv(TOKEN, raising=False)
    config = GatewayConfig(agent="clerk", policy=Path("policy"), servers=())
    with pytest.raises(NotAllowed, match="No token"):
        sessions_of(config, agent.agent.policy, agent.platform, Offered(ToolRegistry(), {}, {}))


def test_a_request_that_was_kept_before_it_named_who_started_the_run_is_still_read():
    kept = request_of("a").to_json()
    kept.pop("started_by")
    assert Request.from_json(kept) == request_of("a")
