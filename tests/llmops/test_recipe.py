from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.llmops.attribution_cells import cells_of
from ops_pipelines.llmops.budget import Budget
from ops_pipelines.llmops.chat_model import Message
from ops_pipelines.llmops.cost import Price
from ops_pipelines.llmops.mixture import changed_sources, mixed
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.llmops.recipe import Found, Recipe, Retrieval, is_recipe, read_recipe

PROMPT = Prompt(
    "desk", (Message("user", "{{ passages }} {{ question }}"),), {"passages": "text", "question": "text"}, "x", "x-1"
)
OTHER = Prompt("desk", (Message("user", "{{ question }} {{ passages }}"),), PROMPT.variables, "y", "y-1", {"seed": 1})
FOUND = Found(Retrieval("notes", "hashing", k=3), "aa" * 32, "bb" * 32)


def recipe(prompt: Prompt = PROMPT, **changed) -> Recipe:
    settings = {"providers": (ProviderPin(prompt.provider, prompt.model),), "found": FOUND}
    return Recipe(prompt, **{**settings, **changed})


def kept(one: Recipe) -> dict[str, bytes]:
    return {digest_bytes(content): content for content in one.contents().values()}


WHOLE = recipe(
    providers=(ProviderPin("x", "x-1", answers_as="x-1-a"), ProviderPin("y", "y-1")),
    budgets=(Budget("all", Decimal("1.5"), per=("tenant",)),),
    prices={("x", "x-1"): Price(Decimal("0.25"), Decimal(2))},
    uses={"house": "cc" * 32},
)


@pytest.mark.parametrize("one", [recipe(), WHOLE, recipe(found=None, question="asked")])
def test_a_recipe_is_read_back_from_the_parts_of_its_release(one):
    assert read_recipe(one.manifest("desk"), kept(one).__getitem__) == one


def test_a_release_of_a_recipe_is_known_by_its_parts_and_one_of_a_model_is_none():
    manifest = WHOLE.manifest("desk")
    assert is_recipe(manifest)
    assert manifest.behaviour["prompt"] == PROMPT.id
    assert {"fallback", "budgets", "prices", "corpus", "embedding_pin"} <= manifest.behaviour.keys()
    assert (manifest.uses, is_recipe(type(manifest)("m", {"model": "1"}))) == ({"house": "cc" * 32}, False)


@given(st.integers(1, 100), st.sampled_from(["lexical", "dense", "hybrid"]))
def test_any_other_way_of_looking_up_is_another_release(k, mode):
    one = recipe(found=Found(Retrieval("notes", "hashing", mode=mode, k=k), "aa" * 32, "bb" * 32))
    assert (one.manifest("d").digest == recipe().manifest("d").digest) == (one == recipe())


def test_a_way_of_looking_up_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="k under `answers` is 0"):
        Retrieval("notes", "hashing", k=0)


NEW = recipe(OTHER, found=Found(Retrieval("notes", "hashing", k=5), "dd" * 32, "bb" * 32))


def test_the_sources_that_differ_are_named_and_budgets_are_none():
    assert changed_sources(recipe(), WHOLE) == ("model",)
    assert changed_sources(recipe(), NEW) == ("prompt", "parameters", "model", "corpus", "retrieval")
    assert changed_sources(WHOLE, WHOLE) == ()


def test_a_mixture_takes_each_source_from_its_side_and_the_ends_are_the_two_recipes():
    cells = cells_of(changed_sources(recipe(), NEW))
    assert (mixed(recipe(), NEW, cells[0]), mixed(recipe(), NEW, cells[-1])) == (recipe(), NEW)
    between = mixed(recipe(), NEW, frozenset({"corpus", "model"}))
    assert (between.found.snapshot, between.found.retrieval.k) == ("dd" * 32, 3)
    assert (between.prompt.model, between.prompt.messages, between.prompt.parameters) == ("y-1", PROMPT.messages, {})


def test_all_mixtures_are_different_releases():
    releases = {mixed(recipe(), NEW, cell).manifest("d").digest for cell in cells_of(changed_sources(recipe(), NEW))}
    assert len(releases) == 32
