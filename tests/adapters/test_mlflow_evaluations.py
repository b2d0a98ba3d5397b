import json
from dataclasses import replace
from pathlib import Path

import pytest

from ops_pipelines.adapters.mlflow_evaluations import ID, MLflowEvaluations, trace_id
from ops_pipelines.testing.evaluation_log import evaluation_of, label_of

MADE = evaluation_of("It is so.", "It is not.", system="mirrored")


@pytest.fixture
def evaluations(registry):
    return MLflowEvaluations(registry)


def test_an_evaluation_is_a_run_with_its_means_and_a_table_of_what_failed(evaluations, tmp_path):
    run = evaluations.record(MADE)
    with evaluations.registry.client("read") as client:
        found = client.get_run(run)
        table = json.loads(Path(client.download_artifacts(run, "failures.json", str(tmp_path))).read_text())
    assert (found.data.metrics["says/mean"], found.data.metrics["judge/not_evaluated"]) == (1.0, 2.0)
    assert (found.data.tags[ID], found.data.tags["commit"]) == (MADE.id, "abc")
    assert [dict(zip(table["columns"], row, strict=True))["failed"] for row in table["data"]] == ["judge", "judge"]


def test_the_same_evaluation_is_recorded_once(evaluations):
    assert evaluations.record(MADE) == evaluations.record(MADE)


def test_labels_are_assessments_of_the_answer_beside_its_scores(evaluations):
    from mlflow.tracing.client import TracingClient

    assert evaluations.record_labels(MADE, [label_of(MADE, "c1", 0.5, note="half")]) == 1
    info = TracingClient(evaluations.registry.uri).get_trace_info(trace_id(MADE, "c1", 0))
    said = {each.name: (each.value, each.source.source_type) for each in info.assessments}
    assert said["correct"] == (0.5, "HUMAN")
    assert (said["says"], info.response_preview) == ((1.0, "CODE"), "It is not.")


def test_a_label_of_no_answer_of_the_evaluation_is_not_recorded(evaluations):
    assert evaluations.record_labels(MADE, [replace(label_of(MADE), case="gone")]) == 0
