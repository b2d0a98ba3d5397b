"""`oncall` does what its tasks expect, in each of their worlds."""

import pytest

from ops_pipelines.adapters.task_files import read_task_file
from ops_pipelines.agentops.evaluation.live import run_tasks
from ops_pipelines.testing.task_runs import memory_stage

from .conftest import ROOT

TASKS = read_task_file(ROOT / "evals" / "agents" / "oncall" / "tasks.yaml")


def test_every_task_is_done_as_expected(oncall):
    found = [run.verdict for run in run_tasks(TASKS, memory_stage(oncall.agent, oncall.program))]
    assert [(one.task, one.why) for one in found if not one.success] == []
    assert len(found) == len(TASKS.tasks) >= 12


@pytest.mark.parametrize("did", ["nothing", "roll back", "retrain", "notify"])
def test_the_tasks_lead_through_every_branch(did):
    assert any(task.expected.outcome["did"] == did for task in TASKS.tasks)
