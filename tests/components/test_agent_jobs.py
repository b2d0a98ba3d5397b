"""Replay and fork of a run from Dagster's launchpad."""

from collections.abc import Iterator

import dagster as dg
import pytest

from ops_pipelines.adapters.agents import recording_in
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.replay import played_in
from ops_pipelines.agentops.run_state import WAITING
from ops_pipelines.components.agent_jobs import ForkConfig, fork_of, replay_of
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.testing.refund_agent import paid

from .agent_project import Desk

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    monkeypatch.delenv("OPS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path).released()
    find_project.cache_clear()


def test_a_replay_tells_its_digest_and_does_nothing(desk):
    ran = desk.ran()
    found, shown = replay_of(desk.platform, ran.run[:8])
    assert (found.same, shown["divergence"], shown["run"]) == (True, "none", ran.run)
    assert len(paid(desk.platform.project.home)) == 2


def test_a_run_that_waits_is_replayed_as_far_as_it_came(desk):
    found, shown = replay_of(desk.platform, desk.ran(granted=None).run)
    assert (found.same, shown["state"]) == (True, WAITING)


def test_a_fork_with_another_result_waits_and_tells_where_it_parts_and_why(desk):
    ran = desk.ran()
    result = {"value": {"status": "done", "result": {"id": "A17", "amount_cents": 9900}}}
    shown = fork_of(desk.platform, ForkConfig(run=ran.run, at=1, result=result))
    assert shown["result"].data["state"] == WAITING
    assert "(cause: tool result)" in shown["divergence"]
    assert len(paid(desk.platform.project.home)) == 2


def test_what_a_fork_notes_of_itself_is_no_difference(desk):
    ran = desk.ran()
    steps = len(played_in(recording_in(desk.platform, ran.run)))
    assert fork_of(desk.platform, ForkConfig(run=ran.run, at=steps))["divergence"] == "none"


def test_a_result_is_given_to_the_job_as_to_the_command(desk):
    ran = desk.ran()
    config = ForkConfig(run=ran.run, at=1, result={"value": {"id": "A17", "amount_cents": 9900}})
    shown = fork_of(desk.platform, config)
    assert (shown["state"], shown["result"].data["waits"]["arguments"]["amount_cents"]) == (WAITING, 9900)
    with pytest.raises(ConfigError, match="given under amount_cents"):
        fork_of(desk.platform, ForkConfig(run=ran.run, at=1, result={"amount_cents": 9900}))


def test_a_request_is_edited_by_the_job_as_by_the_command(desk):
    config = ForkConfig(run=desk.ran().run, at=0, set={"order": "C3"})
    shown = fork_of(desk.platform, config)
    assert (shown["state"], shown["result"].data["waits"]["arguments"]["order"]) == (WAITING, "C3")


def test_the_job_of_a_fork_that_failed_fails(desk):
    ran = desk.ran()
    config = {"run": ran.run, "at": 1, "result": {"value": {"id": "A17"}}}
    done = (
        desk.defs()
        .get_job_def("fork_run")
        .execute_in_process(
            run_config={"ops": {"fork_a_run": {"config": config}}},
            resources={"platform": desk.platform},
            raise_on_error=False,
        )
    )
    assert not done.success


def test_a_run_that_nobody_knows_is_an_error_that_says_so(desk):
    with pytest.raises(ConfigError, match="No run begins with"):
        replay_of(desk.platform, "ffff")


@pytest.mark.long
def test_the_jobs_show_what_came_of_it(desk):
    ran, defs = desk.ran(), desk.defs()
    for job, op, config in (
        ("replay_run", "replay_a_run", {"run": ran.run}),
        ("fork_run", "fork_a_run", {"run": ran.run, "at": 2}),
    ):
        done = defs.get_job_def(job).execute_in_process(
            run_config={"ops": {op: {"config": config}}}, resources={"platform": desk.platform}
        )
        (output,) = [one for one in done.all_node_events if one.event_type == dg.DagsterEventType.STEP_OUTPUT]
        shown = {name: one.value for name, one in output.step_output_data.metadata.items()}
        assert {"run", "digest", "divergence"} <= shown.keys()
