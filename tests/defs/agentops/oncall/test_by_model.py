"""`oncall` planned by a model over real HTTP: what it chooses goes through the same gate, and is replayed without it."""

from dataclasses import replace

import pytest

from ops_pipelines.agentops.run_state import DONE, WAITING
from ops_pipelines.core.fingerprint import short
from ops_pipelines.testing.provider import provider_running
from ops_pipelines.testing.provider_script import Call, Fault, ProviderScript, Reply, Stage


def script(*replies, **more):
    """The last reply of which the conversation holds the text is said; so the latest comes first."""
    turns = tuple(Reply(contains, text, 20, tuple(calls)) for contains, text, calls in replies)
    return ProviderScript(stages=(Stage(answers_as="desk-4", replies=turns),), **more)


@pytest.fixture
def by_model(oncall, watched, monkeypatch):
    """The agent with a model configured by the environment, and the two releases of the system that it watches."""
    first, second = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.6))

    def by_model(provider, model="environment"):
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        monkeypatch.setenv("OPENAI_MODEL", "desk-4")
        return replace(oncall, agent=replace(oncall.agent, settings={"model": model}))

    return by_model, short(first), short(second)


@pytest.mark.long
def test_what_a_model_chooses_waits_for_a_person_and_is_replayed_without_a_provider(by_model, watched, say):
    agent_of, first, second = by_model
    back = {"system": "flight_delay", "to": first, "seen": second, "reason": "the release before was better"}
    turns = script(
        ("approved by ben", "Rolled back.", []),
        ("was_live", "", [Call("roll_back", back)]),
        (
            "alarm",
            "",
            [Call("drift_report", {"system": "flight_delay"}), Call("model_history", {"system": "flight_delay"})],
        ),
    )
    with provider_running(turns) as provider:
        agent = agent_of(provider)
        ran = agent.start({"alarm": watched.alarm()})
        assert (ran.state, ran.waits["arguments"]) == (WAITING, back)
        say(ran)
        ended = agent.resume(ran.run)
        assert (ended.state, ended.result["why"], short(watched.live())) == (DONE, "Rolled back.", first)
        assert provider.count() == 3
    assert agent.replay(ran.run).identical


@pytest.mark.long
def test_a_provider_that_fails_is_told_and_nothing_is_done(by_model, watched, capsys):
    agent_of, _, second = by_model
    with provider_running(script(faults=(Fault("status", status=500, times=5),))) as provider:
        ran = agent_of(provider, "openai/desk-4").start({"alarm": watched.alarm()})
        assert provider.count() == 1
    assert (ran.result["did"], short(watched.live())) == ("notify", second)
    assert "has not planned to the end" in capsys.readouterr().out


def test_without_a_provider_the_rules_plan(by_model, oncall, watched, monkeypatch):
    ran = replace(oncall, agent=replace(oncall.agent, settings={"model": "environment"})).start(
        {"alarm": watched.alarm()}
    )
    assert ran.waits["tool"] == "roll_back"
