from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.attribution import PROVIDER, AttributionRule, attribute, judge_attribution, shapley_by_case
from ops_pipelines.llmops.attribution_cells import cells_of

SOURCES = ("prompt", "corpus", "model")
CELLS = cells_of(SOURCES)
GAME = st.lists(st.floats(-10, 10), min_size=8, max_size=8).map(lambda values: dict(zip(CELLS, values, strict=True)))


def shapley(game) -> dict[str, float]:
    return {name: float(by[0]) for name, by in shapley_by_case({c: np.array([v]) for c, v in game.items()}).items()}


def world(seed: int, effects: dict[str, float], *, cases: int = 300, noise: str = "binary", sources=SOURCES):
    """Every mixture asked of the same cases, each with its own chance to pass, which the new sources move."""
    draw = np.random.default_rng([seed, cases])
    easy = draw.beta(4, 2, cases) if noise == "binary" else draw.normal(0, 1, cases)
    scores = {}
    for cell in cells_of(sources):
        level = easy + sum(effects.get(source, 0.0) for source in cell)
        drawn = draw.random(cases) < level if noise == "binary" else level + draw.normal(0, 0.7, cases)
        scores[cell] = {f"case {number}": float(value) for number, value in enumerate(drawn)}
    return scores


# What Shapley's axioms say


@given(GAME)
def test_shares_add_up_to_the_whole_change(game):
    assert sum(shapley(game).values()) == pytest.approx(game[CELLS[-1]] - game[CELLS[0]], abs=1e-9)


@given(GAME)
def test_a_share_is_what_a_source_adds_over_all_orders(game):
    orders = list(permutations(SOURCES))
    added = dict.fromkeys(SOURCES, 0.0)
    for order in orders:
        for place, source in enumerate(order):
            added[source] += game[frozenset(order[: place + 1])] - game[frozenset(order[:place])]
    assert shapley(game) == {source: pytest.approx(added[source] / len(orders), abs=1e-9) for source in SOURCES}


@given(GAME)
def test_sources_that_do_the_same_have_the_same_share(game):
    swap = {"prompt": "corpus", "corpus": "prompt", "model": "model"}
    alike = {cell: game[cell] + game[frozenset(swap[source] for source in cell)] for cell in CELLS}
    found = shapley(alike)
    assert found["prompt"] == pytest.approx(found["corpus"], abs=1e-9)


@given(GAME)
def test_a_source_that_adds_nothing_anywhere_has_no_share(game):
    idle = {cell: game[cell - {"model"}] for cell in CELLS}
    assert shapley(idle)["model"] == pytest.approx(0, abs=1e-12)


def test_what_two_sources_do_only_together_is_halved():
    game = {cell: -1.0 if {"prompt", "corpus"} <= cell else 0.0 for cell in CELLS}
    assert shapley(game) == {"prompt": pytest.approx(-0.5), "corpus": pytest.approx(-0.5), "model": pytest.approx(0)}


# What is named


def test_the_source_that_lowered_the_score_is_named_with_its_share_and_interval():
    found = attribute(world(1, {"corpus": -0.2}))
    assert found.causes == ("corpus",)
    verdict = judge_attribution(found)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons[0].startswith("corpus moved the score by -0.1")
    assert verdict.reasons[0].endswith("of the change")
    canonical_json(dict(verdict.evidence))


def test_shares_of_the_means_add_up_to_the_total():
    found = attribute(world(2, {"corpus": -0.5, "prompt": 0.1}, noise="normal"))
    assert sum(share.effect.difference for share in found.shares) == pytest.approx(found.total.difference)
    assert sum(share.part for share in found.shares) == pytest.approx(1)


def test_two_changes_that_cancel_out_are_both_named_and_have_no_percentage():
    found = attribute(world(3, {"corpus": -0.2, "prompt": 0.2}, noise="normal", cases=600))
    assert set(found.causes) == {"corpus", "prompt"}
    assert [share.part for share in found.shares] == [None] * 3
    assert "% of the change" not in judge_attribution(found).reasons[0]


def test_a_source_that_raised_the_score_is_a_cause_and_no_reason_to_block():
    found = attribute(world(4, {"prompt": 0.2}))
    assert found.causes == ("prompt",)
    assert isinstance(judge_attribution(found), Passed)


def test_where_nothing_changed_a_cohort_that_would_have_seen_it_passes():
    assert isinstance(judge_attribution(attribute(world(5, {}))), Passed)


def test_where_too_few_cases_were_asked_it_cannot_tell():
    verdict = judge_attribution(attribute(world(6, {}, cases=20)))
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why.startswith("cannot tell: 20 cases see what a source did from ")


def test_cases_of_one_document_are_one_draw():
    scores = world(7, {"corpus": -0.2})
    one = dict.fromkeys(scores[frozenset()], "one document")
    assert attribute(scores, one).causes == ()


def test_a_mixture_that_was_not_asked_is_named():
    scores = world(8, {"corpus": -0.2})
    del scores[frozenset({"corpus", "model"})], scores[frozenset()]
    verdict = judge_attribution(attribute(scores))
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == "2 mixtures were not asked: all old; new model and corpus"


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_case_that_failed_in_one_mixture_is_named(value):
    scores = world(9, {})
    scores[frozenset()]["case 3"] = value
    verdict = judge_attribution(attribute(scores))
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == "1 cases are not scored in every mixture (case 3)"


# The provider


def test_what_the_unchanged_release_scores_otherwise_today_is_the_providers():
    draw = world(10, {"old": -0.3, "prompt": -0.2}, sources=("old", "prompt"))
    scores = {frozenset(): draw[frozenset({"old"})], frozenset({"prompt"}): draw[frozenset({"old", "prompt"})]}
    found = attribute(scores, recorded=draw[frozenset()])
    assert set(found.causes) == {PROVIDER, "prompt"}
    assert sum(share.effect.difference for share in found.shares) == pytest.approx(found.total.difference)


def test_a_fall_without_any_local_change_is_the_providers():
    draw = world(11, {"later": -0.3}, sources=("later",))
    verdict = judge_attribution(attribute({frozenset(): draw[frozenset({"later"})]}, recorded=draw[frozenset()]))
    assert isinstance(verdict, Blocked)
    assert verdict.reasons[0].startswith("no local change: the provider moved the score by -0.")


def test_nothing_that_differs_and_nothing_on_record_is_never_a_pass():
    for scores in ({frozenset(): {"a": 1.0}}, {}, {frozenset(): {}}):
        assert isinstance(judge_attribution(attribute(scores)), NotEvaluated)


@pytest.mark.parametrize("wrong", [{"confidence": 1}, {"effect": 0}, {"power": 1}])
def test_a_rule_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ConfigError):
        AttributionRule(**wrong)


@pytest.mark.long
@pytest.mark.parametrize("noise", ["binary", "normal"])
@pytest.mark.parametrize("swapped", SOURCES)
def test_the_single_swapped_source_is_named_in_at_least_95_of_100_trials(swapped, noise):
    named = [attribute(world(seed, {swapped: -0.2}, noise=noise)).causes == (swapped,) for seed in range(200)]
    assert np.mean(named) >= 0.95


@pytest.mark.long
@pytest.mark.parametrize("noise", ["binary", "normal"])
@pytest.mark.parametrize("sources", [SOURCES[:1], SOURCES, (*SOURCES, "parameters")])
def test_a_cause_is_named_in_at_most_5_of_100_trials_where_nothing_changed(noise, sources):
    named = [attribute(world(seed, {}, noise=noise, sources=sources)).causes for seed in range(1000, 1200)]
    assert np.mean([bool(one) for one in named]) <= 0.05
