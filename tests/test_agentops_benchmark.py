"""That ours and MLflow are given the same traces. Whether a bound holds is no test: times vary."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import agentops_log
from benchmarks.__main__ import REGISTRY

ROOT = Path(__file__).parents[1]


def test_the_log_and_its_copies_are_measured_under_the_name_of_their_room():
    assert {"agentops_log", "agentops_mlflow"} <= set(REGISTRY["agentops"])


@pytest.mark.parametrize("number", [0, 1, 100])
def test_ours_and_mlflow_are_given_the_same_traces(number):
    ours, theirs = agentops_log._trace(number), agentops_log._spans(number)
    assert [entry.step.name for entry in ours] == [span.name for span in theirs]
    assert [entry.payloads[0].value() for entry in ours[1:]] == [
        span.attributes[0].value.string_value for span in theirs[1:]
    ]
    assert {entry.step.parent for entry in ours[1:]} == {ours[0].step.id}
    assert {span.parent_span_id for span in theirs[1:]} == {theirs[0].span_id}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_quick_run_measures_every_claim_and_both_find_the_same():
    words = [sys.executable, "-m", "benchmarks", "agentops", "--quick", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    rows = [row for row in json.loads(done.stdout) if row["name"].startswith("agentops, ")]
    assert [row["name"] for row in rows if row["ours"] is None] == []
    assert len(rows) >= 8
