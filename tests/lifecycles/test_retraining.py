"""What was asked for is launched once and ends in a decision, or people hear of it; and what a window reads is gated.

The long tests go on from the weeks of the town that `test_year.py` walks.
"""

import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import dagster as dg
import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.retraining_answers import answers_of
from ops_pipelines.components.arrivals import ATTEMPTS
from ops_pipelines.components.model_retraining import retraining_sensor
from ops_pipelines.components.training_meter import ANSWERS
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.retraining_requests import RETRAINING

from .conftest import write_tree
from .town_year import DATA, MODEL, RETRAIN, RULED, RULES, W1, W4, W6, W7, at, project_root, story

__all__ = ["at", "project_root", "story"]  # fixtures

ASKER = """
import sys
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.retraining_door import plan_request, write_request

platform, me = Platform.embedded(), sys.argv[1]
for number in range(12):
    key = f"shared-{number}" if number % 2 else f"{me}-{number}"
    wanted = plan_request(platform, "desk", reason="for the test", actor=me, key=key, anyway=True)
    write_request(platform, wanted)
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """The platform of a system that was trained once, in a home of its own."""
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPS_HOME", str(tmp_path / "home"))
    find_project.cache_clear()
    platform = Platform.embedded()
    for part in ("checkpoint", "drift"):
        (platform.lake.root / "desk" / part / "2013-01-01").mkdir(parents=True)
    (
        platform.lake.root / "desk" / "drift" / "2013-01-01" / "data.parquet"
    ).touch()  # that it is there is all that counts
    yield platform
    find_project.cache_clear()


@dg.job
def train_desk() -> None: ...


def test_processes_that_ask_while_the_sensor_looks_lose_no_row_and_get_one_run_for_each(desk):
    model = SimpleNamespace(name="desk", key=lambda part: dg.AssetKey(["desk", part]))
    sensor = retraining_sensor(model, train_desk)
    launched: list[str] = []
    askers = [subprocess.Popen([sys.executable, "-c", ASKER, name]) for name in ("ci", "oncall", "nightly")]
    with dg.DagsterInstance.ephemeral() as instance:
        while True:
            is_last = all(asker.poll() is not None for asker in askers)
            context = dg.build_sensor_context(instance=instance, resources={"platform": desk})
            for request in sensor(context).run_requests:
                launched.append(request.run_key)
                instance.create_run_for_job(train_desk, tags=request.tags)
            if is_last:
                break
        runs = instance.get_runs()
    assert [asker.returncode for asker in askers] == [0, 0, 0]
    rows = [row.key for row in desk.retraining.requests("desk")]
    own = {f"desk/request/{name}-{number}" for name in ("ci", "oncall", "nightly") for number in range(0, 12, 2)}
    assert len(rows) == len(set(rows))
    assert set(rows) == own | {f"desk/request/shared-{number}" for number in range(1, 12, 2)}
    assert sorted(launched) == sorted(rows)
    assert sorted(run.tags[ANSWERS] for run in runs) == sorted(rows)


def test_a_request_is_given_up_after_as_many_runs_as_it_gets():
    from ops_pipelines.mlops.retraining_requests import Answer

    assert Answer.__dataclass_fields__["attempts"].default == ATTEMPTS


# The town


@contextmanager
def growing(story, point):
    """The town from a point on, its model learning from all weeks: at least three of them."""
    rules = {"wait": 0, "retraining": RULES["town"]["retraining"]}
    wide = (RULED % rules).replace("window_weeks: 3", "window: expanding\n  window_weeks: 3")
    write_tree(story.root, "growing", {"data/defs.yaml": DATA, "model/defs.yaml": wide})
    story.go_back(point)
    with story.opened("growing") as town:
        yield town


@pytest.mark.long
def test_an_expanding_window_reads_every_week_up_to_its_cut_off_and_says_so(story):
    with growing(story, "it is closed") as town:
        town.daemon.run_job("town", f"train_{MODEL}", partition_key=W6)  # whatever its gate says of it
        made = town.made("training_set", W6)
        assert (made.facts["window"], made.facts["weeks"]) == ("expanding", [W1, W6])
        read = {address.partition("@")[2] for address in made.inputs if address.startswith("trips@")}
        assert (min(read), max(read), len(read)) == (W1, W6, 6)


@pytest.mark.long
def test_one_refused_week_blocks_an_expanding_window_for_good_and_one_that_is_too_short_waits(story):
    with growing(story, "it is closed") as town:
        town.deliver(W1, copies=2)
        town.daemon.run_job("town", f"train_{MODEL}", partition_key=W7)
        verdict = town.made("training_set", W7).verdict
        assert isinstance(verdict, Blocked)
        assert any(f"trip_ends@{W1}" in reason for reason in verdict.reasons)
        town.daemon.run_job("town", f"train_{MODEL}", partition_key=W1)
        short = town.made("training_set", W1).verdict
        assert isinstance(short, NotEvaluated)
        assert "an expanding window starts at 3" in short.why


@pytest.mark.long
def test_the_edges_of_an_expanding_window_are_the_weeks_that_it_reads(story):
    with growing(story, "it is closed"):
        import growing_location

        graph = growing_location.defs.resolve_asset_graph()
        node = graph.get(dg.AssetKey([MODEL, "training_set"]))
        mapping = node.partition_mappings[dg.AssetKey("trips")]
        weeks = node.partitions_def
        for week, count in ((W1, 1), (W4, 4), (W7, 7)):
            subset = weeks.subset_with_partition_keys([week])
            above = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, weeks, weeks)
            assert len(above.partitions_subset.get_partition_keys()) == count


@pytest.mark.long
def test_an_answer_has_its_cost_in_the_ledger_and_is_decided(at):
    with at("it is answered") as town:
        (answer,) = answers_of(town.platform, MODEL)
        assert answer.state == "promoted"
        assert answer.cost.cpu_seconds > 0
        assert (len(answer.cost.runs), answer.cost.unknown_runs) == (1, 0)
        assert {step.part for step in town.platform.retraining.steps(MODEL)} == {"training_set", "checkpoint"}
        town.live_through(W7)
        assert town.made("episodes", W7).findings[RETRAINING] == Passed({"requests": 1, "waiting": []})


@pytest.mark.long
def test_runs_that_fail_cost_what_they_cost_and_are_told_of_when_they_are_given_up(at):
    with at("an episode is open") as town:
        town.tell(training="breaks")
        for _ in range(4):
            town.retrain()
        (answer,) = answers_of(town.platform, MODEL)
        assert (answer.state, answer.cost.unknown_runs) == ("given up after 3 runs that failed", 0)
        assert answer.cost.cpu_seconds > 0
        town.live_through(W7)
        finding = town.made("episodes", W7).findings[RETRAINING]
        assert isinstance(finding, Blocked)
        assert "given up after 3 runs that failed" in finding.reasons[0]


@pytest.mark.long
def test_what_nobody_launched_is_told_in_the_next_week(at):
    with at("an episode is open", without=RETRAIN) as town:
        assert town.backstop().run_requests
        for name in ("arrivals", f"score_{MODEL}"):
            town.daemon.start_sensors(name=name)
        town.arrive(W7)
        town.tick(f"score_{MODEL}")
        town.watch()
        finding = town.made("episodes", W7).findings[RETRAINING]
        assert isinstance(finding, Blocked)
        assert finding.reasons[0].endswith(
            "asked for by retrain_trip_delay_backstop as of 2013-02-19: no run has begun"
        )


@pytest.mark.long
def test_a_challenger_that_was_rolled_back_within_its_week_does_not_count_as_a_promotion(at):
    with at("it is answered", "brisk") as town:
        first, second = (move.release for move in town.moves())
        town.platform.roll_back(MODEL, first, actor="ann", reason="complaints")
        town.live_through(W7)
        trouble, *others = town.episodes(W7)
        assert (trouble.kind, trouble.is_open) == ("performance", True)
        assert trouble.outcome == "promoted, then rolled back"
        assert [episode.kind for episode in others] == ["age"]
        assert others[0].reasons == (
            "not challenged for 1 weeks, and an episode is open that its challenger did not end",
        )
        assert len(town.answers()) == 2
        assert trouble.release == first != second
