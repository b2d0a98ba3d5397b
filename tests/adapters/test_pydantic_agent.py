"""A model plans by pydantic-ai inside a session: recorded, gated, suspended, resumed, replayed."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ops_pipelines.adapters.agents import open_agent
from ops_pipelines.adapters.fork_edits import edit_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.pydantic_agent import Chat, planned
from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.replay import played_in
from ops_pipelines.agentops.run_state import DONE, FAILED, WAITING
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.testing.refund_agent import kept, paid, refund_agent

TASK, FORK = {"order": "A17"}, "f" * 32


@pytest.fixture
def platform(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    monkeypatch.chdir(tmp_path)
    find_project.cache_clear()
    yield Platform.embedded(find_project(tmp_path))
    find_project.cache_clear()


class Scripted:
    """A model that says one thing after the other: a text, or a list of (tool, arguments); an error is raised."""

    def __init__(self, *turns):
        self.turns, self.asked, self.heard = turns, 0, list[str]()

    def says(self, messages, info):
        from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart

        self.asked += 1
        self.heard += [str(part.content) for part in messages[0].parts]
        turn = self.turns[sum(message.kind == "response" for message in messages)]
        if isinstance(turn, Exception):
            raise turn
        calls = [] if isinstance(turn, str) else [ToolCallPart(name, given) for name, given in turn]
        return ModelResponse(calls or [TextPart(turn)])

    @asynccontextmanager
    async def opened(self):
        from pydantic_ai.models.function import FunctionModel

        yield FunctionModel(self.says, model_name="gpt-4o-mini-2024-07-18")


@pytest.fixture
def by_model(platform):
    """The refund agent, planned by a scripted model that may make so many requests."""

    def by_model(model, most_requests=5):
        agent = open_agent(platform, kept(platform, refund_agent()))
        chat = Chat(ProviderPin("openai", "gpt-4o-mini-2024-07-18"), model.opened, most_requests=most_requests)

        def program(session):
            return planned(session, str(session.task), instructions="Refund it.", tools=agent.agent.tools, chat=chat)

        return replace(agent, program=program)

    return by_model


LOOK, REFUND = [("order", {"id": "A17"})], [("refund", {"order": "A17", "amount_cents": 1200})]


def ledger(agent):
    return [next(iter(one)) for one in paid(agent.platform.project.home)]


def approve(agent, ran):
    agent.platform.approvals.answer(ran.waits["approval"], Answer("ben", True, agent.platform.clock.wall()))


def test_a_call_that_waits_for_a_person_suspends_the_run_and_asks_the_model_nothing_twice(by_model):
    model = Scripted(LOOK, REFUND, "It is paid back.")
    agent = by_model(model)
    ran = agent.start(TASK)
    assert (ran.state, ran.waits["tool"], ledger(agent), model.asked) == (WAITING, "refund", [], 2)
    approve(agent, ran)
    ended = agent.resume(ran.run)
    assert (ended.state, ended.result) == (DONE, "It is paid back.")
    assert (ledger(agent), model.asked) == (["refund"], 3)


def test_of_two_calls_at_once_the_second_waits_for_the_first(by_model):
    agent = by_model(Scripted(LOOK, [*REFUND, ("note", {"order": "A17", "text": "done"})], "Done."))
    ran = agent.start(TASK)
    assert ledger(agent) == []
    approve(agent, ran)
    agent.resume(ran.run)
    assert ledger(agent) == ["refund", "note"]


def test_a_fork_asks_the_model_with_an_edited_prompt(by_model):
    model = Scripted(LOOK, "A17 is 12 dollars.")
    agent = by_model(model)
    ran = agent.start(TASK)
    at = [step.kind for step in played_in(agent.recording(ran.run))].index("model")
    edit = edit_of(
        agent, agent.recording(ran.run), at, {"set": {"messages.0.parts.0.content": "Refund B12."}}, run=FORK
    )
    forked = agent.fork(ran.run, at=at, edit=edit, id=FORK)
    assert [text for text in model.heard if "B12" in text] == ["Refund B12."]
    assert (forked.result["state"], agent.replay(FORK).identical) == (DONE, True)


@pytest.mark.parametrize(
    ("path", "said"), [("model", "messages and its settings"), ("messages.0.parts.0.part_kind", "no messages")]
)
def test_what_cannot_be_sent_to_a_model_fails_the_fork_and_says_why(by_model, path, said):
    agent = by_model(Scripted(LOOK, "A17 is 12 dollars."))
    recording = agent.recording(agent.start(TASK).run)
    at = [step.kind for step in played_in(recording)].index("model")
    forked = agent.fork(recording.run, at=at, edit=edit_of(agent, recording, at, {"set": {path: "other"}}, run=FORK))
    assert (forked.result["state"], said in forked.result["error"]) == (FAILED, True)


def test_a_replay_asks_no_model(by_model):
    model = Scripted(LOOK, "A17 is 12 dollars.")
    agent = by_model(model)
    ran = agent.start(TASK)
    asked = model.asked
    assert agent.replay(ran.run).identical
    assert model.asked == asked


def test_each_request_is_a_step_with_its_tokens_and_its_price(by_model):
    agent = by_model(Scripted(LOOK, "A17 is 12 dollars."))
    ran = agent.start(TASK)
    steps = [step for step in agent.recording(ran.run).steps if step.kind == "model"]
    assert [step.name for step in steps] == ["openai/gpt-4o-mini-2024-07-18"] * 2
    assert all(step.tokens and step.nanos for step in steps)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("refund", {"order": "A17", "amount_cents": "1200"}), "is not of type"),
        (("refund", {"order": "A17", "amount_cents": 1200, "to": "me"}), "to"),
        (("refund", {"order": "B99", "amount_cents": 1200}), "occurs nowhere"),
    ],
)
def test_what_the_gate_says_no_to_is_told_to_the_model_and_not_done(by_model, call, said):
    agent = by_model(Scripted(LOOK, [call], "I could not."))
    ran = agent.start(TASK)
    steps = agent.recording(ran.run).steps
    denied = next(step for step in steps if step.name == "refund")
    assert said in agent.recording(ran.run).value(denied.outputs)["reason"]
    assert (ran.result, ledger(agent)) == ("I could not.", [])


def test_a_tool_that_is_not_there_is_never_done(by_model):
    agent = by_model(Scripted(LOOK, [("wire_money", {"to": "me"})], "I could not."))
    assert (agent.start(TASK).result, ledger(agent)) == ("I could not.", [])


@pytest.mark.long
@pytest.mark.parametrize(("turns", "most"), [((RuntimeError("no route"),), 5), ((LOOK, LOOK, LOOK), 2)])
def test_a_model_that_cannot_be_asked_any_more_ends_the_run_as_failed(by_model, turns, most):
    ran = by_model(Scripted(*turns), most_requests=most).start(TASK)
    assert ran.state == FAILED
    assert "has not planned to the end" in ran.error


def test_a_run_that_has_spent_its_budget_asks_no_more(by_model):
    model = Scripted(LOOK, "A17 is 12 dollars.")
    agent = by_model(model)
    price = {"limit_usd": "0.01", "prices": {"model:openai/gpt-4o-mini-2024-07-18": "0.02"}}
    poor = Budgets.from_json({**agent.agent.budgets.to_json(), **price})
    ran = replace(agent, agent=replace(agent.agent, budgets=poor)).start(TASK)
    assert (ran.state, model.asked) == (FAILED, 0)
