"""Which runs of agents retention lets the log forget."""

import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from ops_pipelines.adapters.agent_logs import agent_logs
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.retention import plan_for, sweep
from ops_pipelines.adapters.run_lock import run_held
from ops_pipelines.adapters.run_retention import STEPS_OF_DAYS
from ops_pipelines.agentops.notes import FORK, WAITS
from ops_pipelines.agentops.run_tables import ID, STEPS
from ops_pipelines.core.clock import day_of
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.testing.run_log import RUN, entry_of

NOW = datetime.now(UTC)
BEGAN = NOW - timedelta(weeks=30)
DAY = day_of(BEGAN)
LATER, OTHER = "c" * 32, "b" * 32


class Home:
    """A home with a run of thirty weeks ago, and one of today."""

    def __init__(self, platform):
        self.platform, self.log = platform, platform.runs
        platform.project.home.mkdir()
        self.log.append([entry_of(started=BEGAN, ended=BEGAN, inputs="old", outputs="both")])
        self.log.append([entry_of(run=LATER, started=NOW, ended=NOW, inputs="both")])

    def compact(self, *rows, verdict=None):
        made = Artefact(STEPS_OF_DAYS, DAY, f"{rows}", verdict or Passed(), {}, Origin("r", "c", "code", NOW), {})
        self.platform.lake.publish(pa.table({"row": list(rows)}), made)
        then = NOW.timestamp() - 7 * 24 * 3600
        for file in self.platform.project.home.rglob("*"):
            os.utime(file, (then, then))

    def rows(self, run=RUN):
        return [f"{run}/{step.id}" for step in self.log.steps(run)]

    def retain(self, keep_weeks=10):
        return [
            fate.stored.thing
            for fate in sweep(self.platform, plan_for(self.platform, keep_weeks=keep_weeks), actor="ada")
        ]


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    monkeypatch.delenv("OPS_HOME", raising=False)
    yield Home(Platform.embedded(find_project(tmp_path)))
    find_project.cache_clear()


def test_a_day_as_the_compaction_writes_it_is_known(home):
    product = agent_logs(home.platform)[STEPS].table(DAY)
    assert product.column(ID).to_pylist() == home.rows()


def test_runs_go_whole_once_the_lake_has_their_steps_and_their_day_is_old(home):
    going, payloads = home.log.steps(RUN)[0], home.log.steps(LATER)[0]
    home.compact(*home.rows())
    assert home.retain()[0] == ("log rows", f"{STEPS_OF_DAYS}@{DAY}")
    assert (home.log.steps(RUN), home.log.payload(going.inputs)) == ((), None)
    assert home.log.payload(payloads.inputs)
    assert home.retain() == []


def test_runs_stay_for_as_long_as_their_day_is_kept(home):
    home.compact(*home.rows())
    assert (home.retain(keep_weeks=40), len(home.log.steps(RUN))) == ([], 1)


@pytest.mark.parametrize("verdict", [Passed(), Blocked(("the log says otherwise",))])
def test_a_step_that_the_lake_lacks_and_a_day_that_was_refused_keep_all_runs_of_the_day(home, verdict):
    if isinstance(verdict, Passed):
        home.log.append([entry_of(run=OTHER, started=BEGAN, ended=BEGAN)])
    home.compact(*home.rows(), verdict=verdict)
    home.retain()
    assert len(home.log.steps(RUN)) == 1


def test_a_run_stays_while_a_fork_of_it_that_died_lately_may_go_on(home):
    home.log.append([entry_of(FORK, kind="decision", run=LATER, started=NOW, ended=NOW, inputs={"of": RUN})])
    home.compact(*home.rows())
    home.retain()
    assert len(home.log.steps(RUN)) == 1


def test_a_run_that_waits_for_a_person_stays_however_old_it_is(home):
    home.log.append([entry_of(WAITS, kind="decision", started=BEGAN, ended=BEGAN, inputs={"call": "1"})])
    home.compact(*home.rows())
    home.retain()
    assert len(home.log.steps(RUN)) == 2


def test_a_run_stays_for_as_long_as_a_fork_of_it_waits_for_a_person(home):
    home.log.append(
        [
            entry_of(FORK, run=LATER, kind="decision", started=NOW, ended=NOW, inputs={"of": RUN, "own": 1}),
            entry_of(WAITS, run=LATER, kind="decision", started=NOW, ended=NOW, inputs={"call": "1"}),
        ]
    )
    home.compact(*home.rows())
    home.retain()
    assert len(home.log.steps(RUN)) == 1


def test_a_run_that_a_process_has_stays_though_it_wrote_nothing_for_long(home):
    home.compact(*home.rows())
    with run_held(home.platform.project.home, RUN):
        home.retain()
    assert len(home.log.steps(RUN)) == 1
