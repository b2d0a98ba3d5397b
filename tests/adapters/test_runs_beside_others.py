"""Runs of ours in a log that others write to as well: their steps stand beside ours, and never for them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.adapters.agents import foreign_writer_of, writer_of
from ops_pipelines.agentops.joined_runs import JoinedRuns, RunLogged
from ops_pipelines.agentops.payload import payload_of
from ops_pipelines.agentops.run_log import DECISION, TOOL, step_id
from ops_pipelines.agentops.run_state import DONE, STOPPED, WAITING, state_of
from ops_pipelines.agentops.step_writer import NotKept
from ops_pipelines.testing.open_agents import Desk, agent_at, answer_all, platform_in
from ops_pipelines.testing.refund_agent import refund_agent, released

PAID = {"status": "done", "result": "paid A17"}


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return platform_in(tmp_path)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def pays(session):
    return session.tool("pay", order="A17", amount_cents=1).to_json()["status"]


@pytest.fixture
def clerk(platform, desk):
    """An agent whose release is known here."""
    made = agent_at(platform, desk, pays)
    return replace(made, manifest=released(platform, refund_agent()))


def forged(clerk, run, kind, name, inputs, outputs, *, id=""):
    """A step that says what a step of the run would, with its payloads; its id is free, or that of the place."""
    first = clerk.recording(run).steps[0]
    sent, came = payload_of(inputs), payload_of(outputs)
    own = step_id(first.id, kind, name, 0)
    step = replace(
        first, id=id or own, parent=first.id, kind=kind, name=name, inputs=sent.digest, outputs=came.digest, decision=""
    )
    return step, sent, came


def test_a_span_in_the_place_of_a_step_of_ours_is_rejected(clerk, platform):
    ran = clerk.start({})
    writer = foreign_writer_of(platform)
    for kind, name, inputs in ((TOOL, "pay", {"order": "A17", "amount_cents": 1}), (DECISION, "result", "done")):
        with pytest.raises(NotKept, match="take the place of a step"):
            writer.write(*forged(clerk, ran.run, kind, name, inputs, PAID))
    assert len(clerk.recording(ran.run).steps) == 2


def test_spans_with_ids_of_their_own_are_kept_and_neither_end_nor_answer_for_a_run(clerk, platform, desk):
    ran = clerk.start({})
    writer = foreign_writer_of(platform)
    writer.write(*forged(clerk, ran.run, TOOL, "pay", {"order": "A17", "amount_cents": 1}, PAID, id="a" * 16))
    writer.write(*forged(clerk, ran.run, DECISION, "result", "done", None, id="b" * 16))
    assert state_of(clerk.recording(ran.run).steps, platform.clock.wall()) == WAITING
    answer_all(clerk)
    ended = clerk.resume(ran.run)
    assert (ended.state, desk.done) == (DONE, [("A17", 1)])
    assert clerk.replay(ran.run).identical


def test_a_span_that_says_to_be_of_next_year_keeps_no_run_running(clerk, platform):
    ran = clerk.start({})
    now = platform.clock.wall()
    begun = [step for step in clerk.recording(ran.run).steps if step.name != "waits"]
    span, *_ = forged(clerk, ran.run, TOOL, "look", {}, {}, id="c" * 16)
    late = replace(span, ended=now + timedelta(days=365))
    assert state_of([*begun, late], now + timedelta(minutes=3)) == STOPPED


def test_a_run_that_is_known_nowhere_is_taken_whole_from_whoever_sends_it(clerk, platform):
    ran = clerk.start({})
    steps = [
        replace(step, run="f" * 32, release="elsewhere", inputs="", outputs="")
        for step in clerk.recording(ran.run).steps
    ]
    for step in steps:
        foreign_writer_of(platform).write(step)
    assert platform.runs.steps("f" * 32) == tuple(steps)


def test_what_another_agent_does_for_a_run_is_no_part_of_its_replay(clerk, platform):
    ran = clerk.start({})
    joined = JoinedRuns(RunLogged(clerk.conductor().writer, platform.runs.steps), platform.clock.wall, release="other")
    helper = joined.begin("helper", {"task": "look"}, run=ran.run, parent=clerk.recording(ran.run).steps[0].id)
    helper.tool("look", {}, lambda: "seen")
    helper.decide("result", "well")
    answer_all(clerk)
    assert clerk.resume(ran.run).state == DONE
    assert clerk.replay(ran.run).identical
    assert clerk.fork(ran.run, at=2).result["state"] == DONE


def test_what_a_gateway_of_the_same_release_does_for_a_run_keeps_it_from_nothing(clerk, platform, desk):
    ran = clerk.start({})
    logged = RunLogged(writer_of(platform), platform.runs.steps)
    joined = JoinedRuns(logged, platform.clock.wall, release=clerk.manifest.digest)
    scope = joined.begin("gate of clerk", run=ran.run, parent=clerk.recording(ran.run).steps[0].id)
    scope.inside("helper").tool("page", {"name": "a"}, lambda: "what it says")
    answer_all(clerk)
    assert (clerk.resume(ran.run).state, desk.done) == (DONE, [("A17", 1)])
    assert clerk.replay(ran.run).identical
