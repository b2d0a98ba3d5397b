"""What the benchmark of statistics measures; how often it holds is asked over all draws by `python -m benchmarks llmops`."""

import numpy as np
import pytest

from benchmarks import llmops_statistics as measured
from benchmarks.simulated_scores import SOURCES, lenient_judge, mixtures, one_thing_twice


def test_the_corrected_intervals_hold_the_truth_where_the_judges_own_do_not():
    coverage, width = measured.judge_rows(60)
    assert coverage.ours > 0.85
    assert coverage.peer < 0.2
    assert width.ours < 0.9


def test_cases_of_a_cluster_are_counted_once_and_by_the_peer_each():
    row = measured.alarm_row(60)
    assert row.ours < 0.15
    assert row.peer >= row.ours


def test_power_is_told_beside_what_was_stated_and_beside_an_unpaired_test():
    stated, unpaired = measured.power_rows(60)
    assert stated.ours == unpaired.ours > unpaired.peer
    assert stated.peer == pytest.approx(stated.ours, abs=0.2)


@pytest.mark.parametrize("binary", [True, False])
def test_attribution_names_what_was_swapped_and_sees_what_two_sources_do_together(binary):
    single, none, joint = measured.attribution_rows(15, binary=binary)
    assert single.ours >= 0.8
    assert none.ours <= 0.2
    assert joint.ours > joint.peer


def test_a_quiet_year_of_the_canary_is_quiet():
    row = measured.canary_row(2)
    assert row.ours <= 1 <= row.peer


@pytest.mark.parametrize(
    ("bound", "holds"), [(".93 to .97", True), ("ours <= .94", False), ("ours >= .94", True), (".96 to .97", False)]
)
def test_a_bound_means_what_it_says(bound, holds):
    assert measured._row("some share", 0.95, 0.0, bound, "").holds is holds


def test_the_simulated_world_is_as_it_is_said_to_be():
    draw = np.random.default_rng(1)
    world = lenient_judge(draw, 20_000, 10)
    assert np.mean(list(world.judged.values())) == pytest.approx(0.7 * 0.95 + 0.3 * 0.3, abs=0.02)
    first, second, of = one_thing_twice(draw, 60, 5)
    assert len(first) == len(second) == len(of)
    scores = mixtures(draw, 5_000, {frozenset(SOURCES[:2]): -0.2}, binary=False)
    means = {cell: np.mean(list(by.values())) for cell, by in scores.items()}
    assert means[frozenset(SOURCES)] - means[frozenset()] == pytest.approx(-0.2, abs=0.05)
    assert means[frozenset(SOURCES[:1])] - means[frozenset()] == pytest.approx(0, abs=0.05)
