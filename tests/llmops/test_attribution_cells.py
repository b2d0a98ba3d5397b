from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.llmops.attribution_cells import (
    SOURCES,
    cells_of,
    differing_sources,
    mixed_prompt,
    mixture,
    prompt_parts,
)
from ops_pipelines.llmops.chat_model import Message
from ops_pipelines.llmops.prompt import Prompt

BEHAVIOUR = st.dictionaries(st.sampled_from([*SOURCES, "embedding_pin", "budgets"]), st.sampled_from("123"))
OLD = Prompt("answers", (Message("user", "Answer {{ question }}"),), {"question": "text"}, "openai", "desk-1")
NEW = Prompt(
    "answers", (Message("user", "{{ question }}?"),), {"question": "text"}, "vllm", "desk-2", {"max_tokens": 9}
)


def test_only_what_differs_is_a_source_and_its_parts_are_told():
    old = {"prompt": "1", "corpus": "a", "embedding_pin": "x", "chunker": "c", "budgets": "5"}
    new = {**old, "embedding_pin": "y", "chunker": "d", "budgets": "6"}
    assert differing_sources(old, new) == {"retrieval": ("chunker", "embedding_pin"), "budgets": ("budgets",)}


def test_a_part_that_one_side_lacks_differs():
    assert differing_sources({"guardrails": "1"}, {}) == {"guardrails": ("guardrails",)}


def test_two_changes_take_four_mixtures_and_none_takes_the_old_release_alone():
    assert len(cells_of(["prompt", "corpus"])) == 4
    assert cells_of([]) == (frozenset(),)


@given(BEHAVIOUR, BEHAVIOUR)
def test_nothing_new_is_the_old_release_and_everything_new_the_new_one(old, new):
    first, *_, last = [*cells_of(differing_sources(old, new))] * 2
    assert mixture(old, new, first) == old
    assert mixture(old, new, last) == new


def test_the_parts_of_a_prompt_tell_its_text_its_parameters_and_its_model_apart():
    cell = frozenset({"parameters"})
    mixed = mixed_prompt(OLD, NEW, cell)
    assert differing_sources(prompt_parts(OLD), prompt_parts(mixed)).keys() == cell
    assert differing_sources(prompt_parts(OLD), prompt_parts(NEW)).keys() == {"prompt", "parameters", "model"}


def test_the_mixtures_of_two_prompts_are_as_many_prompts():
    made = {mixed_prompt(OLD, NEW, cell).id for cell in cells_of(["prompt", "parameters", "model"])}
    assert len(made) == 8
    assert {OLD.id, NEW.id} < made
