"""What the quality benchmark does; whether its bounds hold on the public data is its own business."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import llmops_quality
from benchmarks.corrupted_answers import DATE, NAME, NEGATION, NUMBER, Supported, corrupt
from ops_pipelines.adapters.guard_checks import CHECKS
from ops_pipelines.llmops.guards.policy_text import read_policy_text

DOCS = Path(__file__).parents[1] / "docs/guardrails.md"
SUPPORTED = [
    Supported(
        "The office in Lisbon opened in 2019 and is open to 12 people.", "The office in Lisbon opened in 2019 ... 12."
    ),
    Supported("Since May 2020 the Berlin office was not open.", "Since May 2020 the Berlin office was not open."),
]


def test_a_corruption_changes_one_fact_and_the_same_seed_makes_the_same():
    made = corrupt(SUPPORTED, count=50, seed=1)
    assert made == corrupt(SUPPORTED, count=50, seed=1)
    assert {one.kind for one in made} == {NUMBER, DATE, NAME, NEGATION}
    assert all(one.answer != one.before.answer for one in made)


def test_what_is_put_in_stands_nowhere_in_the_passage():
    for one in corrupt(SUPPORTED, count=50, seed=2):
        new = set(one.answer.split()) - set(one.before.answer.split())
        assert one.kind == NEGATION or all(word.strip(".,") not in one.before.passage for word in new)


def test_a_denial_is_taken_out_and_where_none_is_one_is_put_in():
    answers = [one.answer for one in corrupt(SUPPORTED, count=50, seed=3) if one.kind == NEGATION]
    assert "Since May 2020 the Berlin office was open." in answers
    assert "The office in Lisbon opened in 2019 and is not open to 12 people." in answers


def test_every_written_case_names_a_check_and_what_it_should_do():
    cases = [json.loads(line) for line in llmops_quality.CASES.read_text(encoding="utf-8").splitlines()]
    assert {case["check"] for case in cases} <= set(CHECKS)
    for check in {case["check"] for case in cases}:
        assert {case["stop"] for case in cases if case["check"] == check} == {True, False}
    assert len({json.dumps(case) for case in cases}) == len(cases)


def test_without_the_public_data_its_rows_are_skipped_and_say_so(monkeypatch):
    monkeypatch.setenv("OPS_BENCH_DATA", "nowhere")
    rows = list(llmops_quality.measure())
    assert sum(row.holds is None for row in rows) == 3
    assert all("OPS_BENCH_DATA" in row.note for row in rows if row.holds is None)
    assert all(0 <= row.ours <= 1 for row in rows if row.holds is not None)


@pytest.mark.skipif(not llmops_quality.data().is_dir(), reason="the public data is not here")
def test_the_bounds_hold_on_the_public_data():
    assert all(row.holds for row in llmops_quality.measure())


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=20))
def test_turning_the_scores_round_turns_the_auroc_round(pairs):
    scores, labels = [score for score, _ in pairs], [label for _, label in pairs]
    if len(set(labels)) == 2:
        turned = llmops_quality.auroc([-score for score in scores], labels)
        assert llmops_quality.auroc(scores, labels) == pytest.approx(1 - turned)


def test_an_interval_covers_its_share_and_is_exact_at_the_ends():
    low, high = llmops_quality.interval(0, 10)
    assert (low, round(high, 4)) == (0.0, 0.3085)  # 1 - 0.025 ** (1 / 10)


def test_the_example_of_the_documentation_is_a_policy():
    text = DOCS.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    policy = read_policy_text("docs", text, CHECKS)
    assert [rule.where for rule in policy.rules] == ["input", "context", "output", "output"]


def test_the_documentation_lists_every_check():
    text = DOCS.read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in CHECKS)
