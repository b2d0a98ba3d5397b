"""The agents of the project are held against the runs of them that are kept beside their code."""

from pathlib import Path

import pytest

from ops_pipelines.adapters.declared import declared_in
from ops_pipelines.adapters.recorded_runs import recorded_in, replayed_by
from ops_pipelines.mlops.training import import_function

ROOT = Path(__file__).parents[3]
AGENTS = declared_in(ROOT / "ops_pipelines" / "defs").kinds["Agent"]


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_an_agent_runs_every_kept_run_as_it_was(name):
    program = import_function(AGENTS[name]["program"], what="agent's program")
    kept = recorded_in(ROOT / "evals" / "agents" / name / "runs")
    found = replayed_by(name, program, AGENTS[name].get("settings", {}), kept)
    assert len(found) > 0
    assert [one.words for one in found if not one.same] == []


def test_a_threshold_that_moves_is_seen_in_a_kept_run():
    said = AGENTS["oncall"]
    program = import_function(said["program"], what="agent's program")
    kept = recorded_in(ROOT / "evals" / "agents" / "oncall" / "runs")
    moved = {**said["settings"], "thresholds": {**said["settings"]["thresholds"], "least_gain": 0.5}}
    parted = [one for one in replayed_by("oncall", program, moved, kept) if not one.same]
    assert "(cause: code)" in parted[0].words
