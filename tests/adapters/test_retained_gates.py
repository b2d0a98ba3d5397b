"""Which approvals, decisions, effects and spent budgets retention removes, and which never."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from ops_pipelines.adapters.agent_logs import AGENT_RUNS, agent_logs
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.retention import plan_for, sweep
from ops_pipelines.agentops.approval import Answer, Binding, Request
from ops_pipelines.agentops.effects import DONE, UNKNOWN, Intent, Outcome
from ops_pipelines.agentops.notes import WAITS
from ops_pipelines.agentops.run_tables import DECISIONS, EFFECTS, ID, STEPS
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.core.audit import verify
from ops_pipelines.core.clock import day_of
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Passed
from ops_pipelines.testing.decision_log import decision_of
from ops_pipelines.testing.run_log import RUN, entry_of

NOW = datetime.now(UTC)
BEGAN = NOW - timedelta(weeks=30)
DAY = day_of(BEGAN)
HOUR = timedelta(hours=1)
CHILD = f"{RUN}/child"


class Home:
    """A home with a run of thirty weeks ago, whose gate kept one thing of each kind, and a run of today."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        platform.project.home.mkdir()
        platform.runs.append([entry_of(started=BEGAN, ended=BEGAN)])
        platform.runs.append([entry_of(run="c" * 32, started=NOW, ended=NOW)])
        self.request("used", used=True)
        self.effect("done", DONE)
        platform.decisions.keep(replace(decision_of("a", run=CHILD), at=BEGAN), durable=True)
        Purse(RUN, Decimal(1)).child(CHILD).reserve(platform.budgets, "call", Decimal("0.1"), at=BEGAN)

    def request(self, id, *, used=False, until=BEGAN + HOUR, run=CHILD):
        asked = Request(id, "oncall", "pay", Binding("t", "{}", run, "r", "p"), "why", BEGAN, until)
        self.platform.approvals.ask(asked)
        if used:
            self.platform.approvals.answer(id, Answer("anna", True, BEGAN))
            self.platform.approvals.consume(id, asked.binding.digest, at=BEGAN)

    def effect(self, key, state):
        self.platform.effects.start(Intent(key, "pay", "{}", RUN, "r"), at=BEGAN, until=BEGAN + HOUR)
        self.platform.effects.end(key, Outcome(state, "1"), at=BEGAN)

    def compact(self, *parts):
        for part in parts or (STEPS, DECISIONS, EFFECTS):
            rows = agent_logs(self.platform)[part].table(DAY).column(ID).to_pylist()
            made = Artefact(f"{AGENT_RUNS}/{part}", DAY, "d", Passed(), {}, Origin("r", "c", "code", NOW), {})
            self.platform.lake.publish(pa.table({ID: rows}), made)
        then = NOW.timestamp() - 7 * 24 * 3600
        for file in self.platform.project.home.rglob("*"):
            os.utime(file, (then, then))

    def retain(self, keep_weeks=10):
        gone = sweep(self.platform, plan_for(self.platform, keep_weeks=keep_weeks), actor="ada")
        rows = [name for what, name in (fate.stored.thing for fate in gone) if what == "log rows"]
        return {name.partition("@")[0].partition("/")[2] for name in rows}

    def held(self):
        """How many runs, requests, decisions and effects there are of thirty weeks ago, and what the run has reserved."""
        there = self.platform
        counts = len(there.runs.steps(RUN)), len(there.approvals.held()), len(there.decisions.decisions())
        return (*counts, len(there.effects.entries()), Purse(RUN, Decimal(1)).spent(there.budgets, NOW).reserved)


KEPT = (1, 1, 1, 1, 100_000_000)


@pytest.fixture
def home(empty_project):
    return Home(Platform.embedded(find_project(empty_project)))


def test_what_gates_kept_goes_with_its_old_runs_and_the_audit_stays(home):
    home.compact()
    assert home.held() == KEPT
    assert home.retain() == {STEPS, "approvals", DECISIONS, EFFECTS}
    assert home.held() == (0, 0, 0, 0, 0)
    assert home.retain() == set()
    assert isinstance(verify(home.platform.audit.rows()), Passed)


def test_it_stays_for_as_long_as_its_runs_are_kept(home):
    home.compact()
    assert (home.retain(keep_weeks=40), home.held()) == (set(), KEPT)


def test_it_stays_where_a_run_of_it_has_not_ended(home):
    home.platform.runs.append([entry_of(WAITS, kind="decision", started=BEGAN, ended=BEGAN, inputs={"call": "1"})])
    home.compact()
    assert (home.retain(), home.held()[1:]) == (set(), KEPT[1:])


def test_what_the_lake_lacks_stays(home):
    home.compact(STEPS, EFFECTS)
    assert home.retain() == {STEPS, "approvals", EFFECTS}
    assert home.held() == (0, 0, 1, 0, 0)


def test_an_effect_of_which_nobody_knows_keeps_its_day_however_old(home):
    home.effect("lost", UNKNOWN)
    home.compact()
    assert home.retain() == {STEPS, "approvals", DECISIONS}
    assert {entry.intent.key for entry in home.platform.effects.entries()} == {"done", "lost"}
    assert home.platform.effects.forget(["lost"]) == 0


def test_a_request_that_can_yet_be_answered_keeps_its_day_however_old(home):
    home.request("pending", until=NOW + HOUR)
    home.compact()
    assert home.retain() == {STEPS, DECISIONS, EFFECTS}
    assert len(home.platform.approvals.held()) == 2


def test_what_is_not_there_is_not_forgotten(empty_project):
    platform = Platform.embedded(find_project(empty_project))
    stores = (platform.approvals, platform.decisions, platform.effects)
    assert [store.forget(["a"]) for store in stores] == [0, 0, 0]
    assert platform.budgets.forget(lambda _: True) == 0
    assert not platform.project.home.exists()
