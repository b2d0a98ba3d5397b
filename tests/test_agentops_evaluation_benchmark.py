"""What the benchmark of judging agents does; whether its bounds hold on the public data is for the benchmark to say."""

import random

import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from benchmarks import agentops_evaluation
from benchmarks.__main__ import REGISTRY
from benchmarks.agentops_evaluation import auroc, is_named, judged, kappa
from benchmarks.seeded_missteps import needed_of, seeded, shuffled_reads
from benchmarks.tau_tasks import ACTS
from benchmarks.tool_calls import data
from ops_pipelines.testing.task_runs import did, failed

CALLS = (
    did("get_user_details", {"reservations": ["UM3OG5", "FQ8APE"]}, user_id="omar_rossi"),
    failed("get_reservation_details", reservation_id="UM3OG"),
    did("get_reservation_details", {"cabin": "economy", "payment": "gift_card_8"}, reservation_id="FQ8APE"),
    did("update_reservation_flights", "done", reservation_id="FQ8APE", cabin="economy"),
    did("update_reservation_baggages", "done", reservation_id="FQ8APE", total=3),
)


def test_the_benchmark_is_one_of_agentops():
    assert "agentops_evaluation" in REGISTRY["agentops"]


def test_one_misstep_of_each_kind_is_put_into_a_run_and_named():
    task, calls = needed_of("omar", CALLS, ACTS)
    assert len(calls) == 4
    found = list(seeded(calls, ACTS, random.Random(3)))
    assert len({one.kind for one in found}) == 7
    assert all(is_named(one, judged(task, one.calls)) for one in found)


def test_reads_in_another_order_are_the_same_run():
    task, calls = needed_of("omar", CALLS, ACTS)
    turned = shuffled_reads(calls, ACTS, random.Random(1))
    assert turned != calls
    assert judged(task, turned).success is True


def test_agreement_is_that_of_a_second_library():
    draw = random.Random(5)
    truth = [draw.random() < 0.4 for _ in range(60)]
    told = [draw.random() < (0.8 if right else 0.2) for right in truth]
    assert kappa(told, truth) == pytest.approx(cohen_kappa_score(told, truth))
    assert auroc(told, truth) == pytest.approx(roc_auc_score(truth, told))


def test_without_the_public_data_the_rows_are_skipped_and_say_so(monkeypatch):
    monkeypatch.setenv("OPS_BENCH_DATA", "nowhere")
    rows = list(agentops_evaluation.measure_quick())
    assert [(row.holds, "not in agents" in row.note) for row in rows] == [(None, True)] * 2


@pytest.mark.long
@pytest.mark.skipif(not data().exists(), reason="the public data is not here")
def test_every_claim_holds_on_the_public_data():
    assert [row.name for row in agentops_evaluation.measure_quick() if not row.holds] == []
