import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from ops_pipelines.adapters.mlflow_prompts import ID, MLflowPrompts, PromptRecord
from ops_pipelines.adapters.mlflow_registry import MLflowRegistry, RegistryError
from ops_pipelines.llmops.chat_model import Message
from ops_pipelines.llmops.prompt import Prompt

PROMPT = Prompt(
    name="answers",
    messages=(
        Message("system", "Cite."),
        Message("user", "{% for p in passages %}{{ p.text }}{% endfor %}{{ question }}"),
    ),
    variables={"question": "text", "passages": "list"},
    provider="openai",
    model="gpt-5-mini-2025-08-07",
    parameters={"temperature": 0, "reasoning_effort": "low"},
    response_schema={"type": "object"},
)


@pytest.fixture
def prompts(registry):
    return MLflowPrompts(MLflowRegistry(registry.home, patience_seconds=0.05))


def test_a_prompt_is_a_version_with_its_id_its_text_and_its_settings(prompts):
    version = prompts.record(PromptRecord(PROMPT, "the first version", {"commit": "abc"}))
    with prompts.registry.client("read") as client:
        found = client.get_prompt_version("answers", version)
    assert found.tags == {ID: PROMPT.id, "commit": "abc"}
    assert found.template == PROMPT.to_json()["messages"]
    assert (found.commit_message, found.response_format) == ("the first version", {"type": "object"})
    assert (found.model_config["model_name"], found.model_config["extra_params"]) == (
        PROMPT.model,
        {"reasoning_effort": "low"},
    )


def test_the_same_id_makes_no_second_version_and_another_one_does(prompts):
    named = replace(PROMPT, name="again")
    first = prompts.record(PromptRecord(named, "first"))
    assert prompts.record(PromptRecord(named, "first")) == first
    other = replace(named, parameters={"temperature": 1})
    assert prompts.record(PromptRecord(other, "warmer")) != first
    assert prompts.record(PromptRecord(named, "back")) == first
    assert set(prompts.versions("again")) == {named.id, other.id}


def test_a_prompt_that_was_never_recorded_has_no_versions(prompts):
    assert prompts.versions("nobody") == {}


def test_a_change_longer_than_mlflow_takes_is_cut(prompts):
    named = replace(PROMPT, name="long")
    assert prompts.record(PromptRecord(named, "x" * 100_000, {"note": "y" * 100_000}))


def test_a_database_that_is_held_is_an_error_that_says_so(prompts):
    with closing(sqlite3.connect(prompts.registry.database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryError, match="could not record the prompt 'held'"):
            prompts.record(PromptRecord(replace(PROMPT, name="held"), "first"))


def test_a_name_that_a_model_has_already_is_an_error_that_says_so(prompts):
    with prompts.registry.client("take the name") as client:
        client.create_registered_model("taken")
    with pytest.raises(RegistryError, match="taken"):
        prompts.record(PromptRecord(replace(PROMPT, name="taken"), "first"))
