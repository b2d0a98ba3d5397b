from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.evals.compare import CompareRule, compare_runs, judge_comparison

RULE = CompareRule(margin=0.05, effect=0.1)


def scores(values) -> dict[str, list[float]]:
    return {f"case-{number:03}": [float(value)] for number, value in enumerate(values)}


def judged(challenger, champion, clusters=None, rule=RULE) -> Verdict:
    return judge_comparison(compare_runs(challenger, champion, clusters=clusters, rule=rule), rule)


def flipped(count: int, of: int = 200) -> tuple[dict, dict]:
    """A challenger that fails the first so many of cases that the champion passes."""
    return scores([0] * count + [1] * (of - count)), scores([1] * of)


def test_two_identical_runs_pass_and_say_that_nothing_changed():
    verdict = judged(scores([1, 0, 1]), scores([1, 0, 1]))
    assert isinstance(verdict, Passed)
    assert verdict.evidence["found"] == "nothing changed"
    assert verdict.evidence["comparison"]["effect"]["cases"] == 3


def test_better_beyond_chance_passes():
    challenger, champion = flipped(40)
    verdict = judged(champion, challenger)
    assert isinstance(verdict, Passed)
    assert verdict.evidence["found"] == "better"


def test_worse_is_blocked_with_the_cases_that_cause_it():
    verdict = judged(*flipped(40))
    assert isinstance(verdict, Blocked)
    assert "0.800 against 1.000: -0.200" in verdict.reasons[0]
    assert "worst: case-000 -1.00, case-001 -1.00" in verdict.reasons[0]
    assert "and 35 more" in verdict.reasons[0]


def test_a_little_worse_within_the_margin_is_not_worse():
    verdict = judged(*flipped(8, of=1000))
    assert isinstance(verdict, Passed)
    assert verdict.evidence["found"] == "not worse by 0.05"


def test_too_few_cases_cannot_tell_and_how_many_more_would_is_said():
    draw = np.random.default_rng(1)
    verdict = judged(scores(draw.integers(0, 2, 40)), scores(draw.integers(0, 2, 40)))
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why.startswith("cannot tell: ")
    needed = int(verdict.why.rpartition(": ")[2].split()[0])
    assert 500 < needed < 5000  # (1.65 + 0.84)^2 * 0.5 / 0.05^2 is 1236


def test_a_difference_of_nothing_in_which_cases_moved_both_ways_is_not_identical_and_cannot_tell():
    verdict = judged(scores([0, 1] * 20), scores([1, 0] * 20), rule=replace(RULE, margin=0.0))
    assert isinstance(verdict, NotEvaluated)
    assert "0.500 against 0.500" in verdict.why


def test_the_cases_that_are_said_to_be_needed_are_enough():
    draw = np.random.default_rng(2)

    def passed(cases: int) -> float:
        pairs = [draw.random((2, cases)) < 0.7 for _ in range(100)]
        return np.mean([isinstance(judged(scores(one), scores(other)), Passed) for one, other in pairs])

    needed = 2.49**2 * 2 * 0.21 / 0.05**2
    assert passed(round(needed)) == pytest.approx(0.8, abs=0.12)


def test_one_regression_among_sixty_may_hide_more_than_the_margin():
    assert isinstance(judged(*flipped(1, of=60)), NotEvaluated)
    assert isinstance(judged(*flipped(1, of=300)), Passed)


def test_two_cases_that_both_fell_are_too_few_to_say_worse():
    verdict = judged(scores([0, 0]), scores([1, 1]))
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why.endswith("in 2 clusters, of which 2 moved; that is too few")


def test_many_cases_of_one_document_are_one_draw():
    challenger, champion = flipped(50)
    verdict = judged(challenger, champion, dict.fromkeys(champion, "one document"))
    assert isinstance(verdict, NotEvaluated)


def test_repeats_are_averaged_within_their_case():
    champion = {case: [1.0, 1.0] for case in scores(range(30))}
    noisy = {case: [1.0, 0.0, 0.5] for case in champion}
    found = compare_runs(noisy, champion, clusters=None, rule=RULE)
    assert (found.challenger, found.effect.mean.rows, found.moves[0][1]) == (0.5, 30, -0.5)


@pytest.mark.parametrize(
    ("challenger", "champion", "why"),
    [
        ({"a": [1.0]}, {"a": [1.0], "b": [1.0]}, "1 cases are in one run only (b)"),
        ({"a": [1.0], "b": []}, {"a": [1.0], "b": [1.0]}, "1 cases failed in one run or both (b)"),
        ({"a": [1.0, None]}, {"a": [1.0]}, "1 cases failed in one run or both (a); no case was scored in both runs"),
        ({"a": [1.0]}, {"b": [1.0]}, "2 cases are in one run only (a, b); no case was scored in both runs"),
        ({}, {}, "no case was scored in both runs"),
    ],
)
def test_what_is_missing_or_failed_on_one_side_is_never_a_pass(challenger, champion, why):
    verdict = judged(challenger, champion)
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == why


def test_swapping_the_sides_turns_the_sign_and_nothing_else():
    challenger, champion = flipped(40)
    there, back = (
        compare_runs(one, other, clusters=None, rule=RULE)
        for one, other in ((challenger, champion), (champion, challenger))
    )
    assert there.effect.difference == -back.effect.difference
    assert (there.detectable, there.power) == (back.detectable, back.power)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from("abcdefgh")), min_size=2, max_size=40))
def test_neither_the_order_of_cases_nor_the_names_of_clusters_matter(rows):
    def found(order, prefix):
        sides = [{str(at): [rows[at][side] / 4] for at in order} for side in (0, 1)]
        return judged(*sides, {str(at): prefix + rows[at][2] for at in order}).evidence["found"]

    assert found(range(len(rows)), "") == found(range(len(rows) - 1, -1, -1), "document ")


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_no_run_is_worse_or_better_than_itself(values):
    assert judged(scores(values), scores(values)).evidence["found"] == "nothing changed"


def test_the_evidence_is_plain_json_and_states_what_can_be_detected():
    verdict = judged(*flipped(40))
    canonical_json(dict(verdict.evidence))
    assert 0.07 < verdict.evidence["comparison"]["detectable"] < 0.09  # 2.82 * sqrt(0.16 / 200)


@pytest.mark.parametrize("wrong", [{"margin": -0.1}, {"effect": 0}, {"confidence": 1}, {"power": 0.2}])
def test_a_rule_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ConfigError):
        replace(RULE, **wrong)


# What a comparison does over many draws


def rate(trials, found) -> float:
    return float(np.mean([verdict.evidence["found"] in found for verdict in trials]))


def one_thing_twice(draw: np.random.Generator, clusters: int, a_cluster: int) -> Verdict:
    """Two runs of one thing, where what moves a case in one of them moves the whole cluster: the passage that was found."""
    sizes = draw.integers(1, 2 * a_cluster, clusters)
    names = np.repeat(np.arange(clusters), sizes)
    sides = [draw.random(len(names)) < np.repeat(draw.beta(2.8, 1.2, clusters), sizes) for _ in range(2)]
    by_case = {case: str(name) for case, name in zip(scores(names), names, strict=True)}
    return judged(scores(sides[0]), scores(sides[1]), by_case)


@pytest.mark.long
@pytest.mark.parametrize("clusters", [20, 60])
def test_comparing_a_thing_with_itself_in_clusters_raises_few_alarms(clusters):
    draw = np.random.default_rng(clusters)
    trials = [one_thing_twice(draw, clusters, 5) for _ in range(4000)]
    assert rate(trials, {"worse", "better"}) <= 0.06
    assert rate(trials, {"worse"}) <= 0.03


@pytest.mark.long
def test_the_power_that_is_stated_is_the_power_that_is_met():
    draw, rule = np.random.default_rng(5), replace(RULE, effect=0.2, margin=0.0)
    stated, named = [], []
    for _ in range(2000):
        moves = draw.normal(0.2, 1.3, 300)
        found = compare_runs(scores(moves), scores([0] * 300), clusters=None, rule=rule)
        stated.append(found.power)
        named.append(judge_comparison(found, rule).evidence["found"] == "better")
    assert np.mean(named) == pytest.approx(np.mean(stated), abs=0.03)
    assert 0.7 < np.mean(stated) < 0.8


@pytest.mark.long
def test_a_true_difference_of_the_detectable_size_is_found_with_the_rules_power():
    draw, rule = np.random.default_rng(6), replace(RULE, margin=0.0)
    detectable = compare_runs(scores(draw.normal(0, 1, 300)), scores([0] * 300), clusters=None, rule=rule).detectable
    trials = [judged(scores(draw.normal(detectable, 1, 300)), scores([0] * 300), rule=rule) for _ in range(1500)]
    assert rate(trials, {"better"}) == pytest.approx(0.8, abs=0.05)
