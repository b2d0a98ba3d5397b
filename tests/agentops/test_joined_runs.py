from datetime import timedelta
from itertools import count

import pytest

from ops_pipelines.agentops.joined_runs import JoinedRuns, RunLogged
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.trace_graph import trace_graph
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.gates import NOON, Broken
from ops_pipelines.testing.run_log import MemoryRunLog

RUN, STEP = "a" * 32, "b" * 16
TICKS = count()


def joined(log):
    return JoinedRuns(RunLogged(Writer(log.append), log.steps), lambda: NOON + timedelta(seconds=next(TICKS)))


def test_processes_that_join_one_run_under_one_step_take_no_place_from_each_other():
    log = MemoryRunLog()
    one, other = joined(log), joined(log)
    scopes = [runs.begin("desk", run=RUN, parent=STEP) for runs in (one, other, one, one, other)]
    assert len({scope.step for scope in scopes}) == 5
    assert trace_graph(log.steps(RUN), called_from=STEP).orphans == ()


def test_what_happens_in_a_scope_can_be_kept_by_another_writer():
    log, light = MemoryRunLog(), MemoryRunLog()
    scope = joined(log).begin("desk", "a task", run=RUN).kept_by(Writer(light.append))
    scope.tool("look", {}, lambda: "fine")
    assert ([step.kind for step in log.steps(RUN)], scope.task) == (["agent"], "a task")
    assert [(step.kind, step.parent) for step in light.steps(RUN)] == [("tool", scope.step)]


def test_a_run_that_cannot_be_recorded_is_not_joined():
    with pytest.raises(DataError):
        JoinedRuns(RunLogged(Writer(Broken().append), lambda run: ()), lambda: NOON).begin("desk", run=RUN)
