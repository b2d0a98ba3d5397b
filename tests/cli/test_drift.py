from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ops_pipelines.adapters.reports import Reports
from ops_pipelines.cli.drift import SENSOR
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, verdict_to_json
from ops_pipelines.mlops.drift import DriftRule, judge_drift, measure_drift, profile_column
from ops_pipelines.mlops.performance import Expected, Outcomes, PerformanceRule, judge_performance
from ops_pipelines.mlops.retraining import Episode
from ops_pipelines.mlops.task import CLASSIFICATION

from .conftest import NOON

SYSTEM, QUIET, STORM, SCORED, REFUSED = "flight_delay", "2013-03-05", "2013-03-12", "2013-03-19", "2013-03-26"
RELEASE, BEFORE = "ab" * 32, "cd" * 32
EPISODE = Episode(SYSTEM, RELEASE, "performance", STORM, ("log loss",))


def put(home, part, week, rows=(), *, verdict=None, findings=None, **facts):
    stored = {name: verdict_to_json(found) for name, found in (findings or {}).items()}
    table = pa.Table.from_pylist(list(rows)) if rows else pa.table({})
    facts = facts | ({"findings": stored} if stored else {})
    origin = Origin("run-1", "no-git", "code", NOON)
    made = Artefact(f"{SYSTEM}/{part}", week, digest_json(list(rows)), verdict or Passed(), {}, origin, facts)
    home.platform.lake.publish(table, made)


def put_drift(home, week, *, wind):
    random, rule = np.random.default_rng(7), DriftRule(min_rows=50)
    windows = np.repeat(np.arange(4), 200)
    profiles = [
        profile_column("wind", "feature", pd.Series(random.normal(10, 2, 800)), windows),
        profile_column("airline", "feature", pd.Series(random.choice(["AA", "UA"], 800)), windows),
        profile_column("score", "prediction", pd.Series(random.uniform(0, 1, 800)), windows),
    ]
    week_of = {
        "wind": pd.Series(random.normal(wind, 2, 200)),
        "airline": pd.Series(random.choice(["AA", "UA"], 200)),
        "score": pd.Series(random.uniform(0, 1, 200)),
    }
    measured = measure_drift(profiles, week_of, rule)
    findings = {f"{role}_drift": judge_drift(measured, role, rule) for role in ("feature", "prediction")}
    put(home, "drift", week, [column.to_json() for column in measured], findings=findings, release=RELEASE)


def put_performance(home, week, *, scores, before):
    outcomes = Outcomes(
        labels=np.tile([0.0, 1.0], 50),
        scores=np.full(100, scores),
        days=[f"day {n // 20}" for n in range(100)],
        slices=pd.DataFrame({"airport": ["EWR"] * 60 + ["JFK"] * 40}),
        scored=125,
    )
    rule = PerformanceRule(min_rows=10, min_slice_rows=10)
    found = judge_performance(CLASSIFICATION, outcomes, Expected((0.6, 0.7, 0.65), (0.02, -0.01, 0.0)), rule)
    findings = {"performance": found.verdict, "label_drift": Passed()}
    rows = [row.to_json() for row in found.measured]
    put(home, "performance", week, rows, findings=findings, release=RELEASE, coverage=0.8, before=before)


@pytest.fixture
def year(home):
    """A quiet week, a storm, a week that was scored only, and one whose scores were refused."""
    put(home, "checkpoint", "2013-02-26")
    for week in (QUIET, STORM, SCORED):
        put(home, "predictions", week, release=RELEASE)
    put(home, "predictions", REFUSED, verdict=Blocked(("half of the weather is missing",)))
    put_drift(home, QUIET, wind=10)
    put_drift(home, STORM, wind=25)
    put_performance(home, QUIET, scores=0.5, before={})
    before = {"release": BEFORE, "loss": 1.2, "gain": -0.4, "low": -0.5, "high": -0.3}
    put_performance(home, STORM, scores=0.05, before=before)
    put(home, "episodes", STORM, episodes=[EPISODE.to_json()], release=RELEASE)
    return home


def lines(said, start):
    """The cells of the lines of a text that begin with something."""
    return [line.split("\t") for line in said.out.splitlines() if line.startswith(start)]


def test_the_list_has_numbers_findings_and_open_episodes_of_each_week(ops, year):
    quiet, storm, *_ = ops("drift", "list", SYSTEM, "--json").json()
    assert (quiet["release"], quiet["loss"], quiet["coverage"]) == (RELEASE, pytest.approx(np.log(2)), 0.8)
    assert (quiet["performance"], quiet["feature_drift"], quiet["open_episodes"]) == ("passed", "passed", [])
    assert storm["gap"] > storm["gap_limit"] > 0
    assert storm["loss"] > storm["loss_limit"]
    assert [storm[f"{name}_drift"] for name in ("feature", "prediction", "label")] == ["blocked", "passed", "passed"]
    assert (storm["performance"], storm["open_episodes"]) == ("blocked", [EPISODE.key])


def test_the_list_for_people_shortens_releases_and_puts_limits_in_brackets(ops, year):
    said = ops("drift", "list", SYSTEM)
    ((_, release, loss, gap, coverage, *found),) = lines(said, STORM)
    assert (said.code, release, coverage) == (0, RELEASE[:12], "80.0%")
    assert (loss, gap[:7]) == ("1.524 (0.898)", "+0.450 ")
    assert found == ["blocked", "passed", "blocked", "passed", f"performance since {STORM}"]


def test_a_week_that_was_only_scored_is_listed_as_never_judged(ops, year):
    ((_, release, *numbers),) = lines(ops("drift", "list", SYSTEM), SCORED)
    assert (release, numbers) == (RELEASE[:12], ["", "", "", *["never judged"] * 4, ""])


def test_last_limits_the_list(ops, year):
    assert [row["week"] for row in ops("drift", "list", SYSTEM, "--last", "2", "--json").json()] == [SCORED, REFUSED]
    assert ops("drift", "list", SYSTEM, "--last", "0").code == 2


def test_a_system_that_scored_nothing_has_an_empty_list(ops, home):
    put(home, "checkpoint", QUIET)
    assert ops("drift", "list", SYSTEM, "--json").json() == []


def test_a_week_in_full_has_the_worst_column_first_and_slices_last(ops, year):
    (week,) = ops("drift", "show", SYSTEM, STORM, "--json").json()
    assert week["columns"][0]["name"] == "wind"
    assert week["columns"][0]["flagged"]
    assert "bins" not in week["columns"][0]
    assert [row["name"] for row in week["measured"]] == [*["all"] * 4, *["airport=EWR"] * 4, *["airport=JFK"] * 4]
    assert len(week["verdicts"]["performance"]["reasons"]) == 2
    assert (week["before"]["release"], week["report"]) == (BEFORE, None)


def test_a_week_in_full_for_people_has_every_reason_and_the_release_before(ops, year):
    said = ops("drift", "show", SYSTEM, STORM)
    assert [row[1] for row in lines(said, "performance\t")] == ["blocked", "blocked"]
    assert "45.0 points more positives" in said.out
    assert lines(said, "wind\t")[0][-2] == "flagged"
    assert "limit 0.898" in lines(said, "all\t")[0][2]
    assert lines(said, BEFORE[:12]) == [[BEFORE[:12], "1.2000", "-0.4000 [-0.5000, -0.3000]"]]
    assert "report: none was made" in said.out


def test_a_week_without_a_release_before_says_so(ops, year):
    assert "none was live before" in ops("drift", "show", SYSTEM, QUIET).out


def test_the_release_before_that_could_not_score_the_rows_says_why(ops, year):
    put_performance(year, QUIET, scores=0.5, before={"release": BEFORE, "why": "it needs ['gate']"})
    assert lines(ops("drift", "show", SYSTEM, QUIET), BEFORE[:12])[0][1] == "it needs ['gate']"


def test_a_week_names_its_report_where_one_was_made(ops, year):
    address = Reports(year.folder).publish(SYSTEM, STORM, b"<p>")
    assert f"report: {address}" in ops("drift", "show", SYSTEM, STORM).out


def test_a_week_whose_labels_are_still_awaited_shows_its_columns(ops, year):
    put_drift(year, SCORED, wind=10)
    (week,) = ops("drift", "show", SYSTEM, SCORED, "--json").json()
    assert (week["performance"], week["verdicts"]["performance"]) == ("never judged", None)
    assert (len(week["columns"]), week["measured"]) == (3, [])


def test_content_that_was_refused_later_is_not_shown_by_its_old_table(ops, year):
    why = {"performance": NotEvaluated("landings were refused"), "label_drift": NotEvaluated("likewise")}
    put(year, "performance", STORM, verdict=Blocked(("landings were refused",)), findings=why)
    (week,) = ops("drift", "show", SYSTEM, STORM, "--json").json()
    assert (week["performance"], week["loss"], week["measured"]) == ("not evaluated", None, [])


@pytest.mark.parametrize(("week", "why"), [(SCORED, "was never written"), (REFUSED, "half of the weather is missing")])
@pytest.mark.parametrize("words", [("show", SYSTEM), ("explain", SYSTEM, "wind", "--week")])
def test_a_week_that_was_not_judged_could_not_be_told_and_says_why(ops, year, words, week, why):
    said = ops("drift", *words, week)
    assert said.code == 3
    assert why in said.err


def test_a_column_through_the_weeks_has_a_bar_of_its_limit(ops, year):
    quiet, storm = ops("drift", "explain", SYSTEM, "wind", "--json").json()
    assert (quiet["week"], quiet["flagged"], storm["flagged"]) == (QUIET, False, True)
    assert storm["effect"] > storm["limit"]
    said = ops("drift", "explain", SYSTEM, "wind")
    assert lines(said, STORM)[0][3].endswith("██████████|██████████")
    assert "|" not in lines(said, QUIET)[0][3]


def test_a_column_in_one_week_has_the_shares_of_its_bins(ops, year):
    (row,) = ops("drift", "explain", SYSTEM, "wind", "--week", STORM, "--json").json()
    assert sum(part["training"] for part in row["histogram"]) == pytest.approx(1)
    assert [part["week"] for part in row["histogram"]] == [*[0] * 9, 1, 0]
    (cells,) = [row for row in lines(ops("drift", "explain", SYSTEM, "wind", "--week", STORM), "") if "more" in row[0]]
    assert cells[1:] == [" 10.0% ██", f"100.0% {'█' * 20}"]


def test_a_column_without_a_limit_has_no_ratio(ops, year):
    column = profile_column("wind", "feature", pd.Series([1.0, 2.0]), np.zeros(2))
    drift = measure_drift([column], {"wind": pd.Series([1.0])}, DriftRule())
    put(year, "drift", QUIET, [found.to_json() for found in drift], release=RELEASE)
    assert lines(ops("drift", "explain", SYSTEM, "wind", "--week", QUIET), QUIET)[0][2:4] == ["too few weeks", ""]


def test_scores_are_explained_and_labels_are_found_elsewhere(ops, year):
    assert len(ops("drift", "explain", SYSTEM, "score", "--json").json()) == 2
    said = ops("drift", "explain", SYSTEM, "label")
    assert said.code == 2
    assert f"`ops drift list {SYSTEM}` has it as label drift" in said.err


@pytest.mark.parametrize("words", [(), ("--week", QUIET)])
def test_a_release_that_keeps_no_limits_has_no_column_to_explain(ops, home, words):
    put(home, "checkpoint", QUIET)
    put(home, "predictions", QUIET)
    put(home, "drift", QUIET, findings={"feature_drift": NotEvaluated("it keeps no limits")}, release=RELEASE)
    said = ops("drift", "explain", SYSTEM, "wind", *words)
    assert said.code == 3
    assert "it keeps no limits" in said.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("list", "flight_dely"), SYSTEM),
        (("show", "flight_dely", STORM), SYSTEM),
        (("show", SYSTEM, "2013-03-122"), STORM),
        (("explain", SYSTEM, "wnd"), "wind"),
        (("explain", SYSTEM, "wind", "--week", "2013-03-122"), STORM),
        (("retrain", SYSTEM, "--reason", "a storm", "--week", "2013-03-122"), STORM),
    ],
)
def test_what_is_misspelt_is_answered_with_the_nearest(ops, year, words, meant):
    said = ops("drift", *words)
    assert said.code == 2
    assert f"Did you mean {meant!r}?" in said.err


def test_a_request_is_written_for_the_last_judged_week(ops, year):
    (row,) = ops("drift", "retrain", SYSTEM, "--reason", "a storm", "--json").json()
    (kept,) = year.platform.retraining.requests(SYSTEM)
    assert (kept.week, kept.reason, kept.episodes) == (STORM, "a storm", ())
    assert kept.key == row["key"] == f"{SYSTEM}/request/{int(kept.as_of.timestamp())}"
    assert (row["state"], row["sensor"]) == ("written", f"retrain_{SYSTEM}")


def test_a_request_names_another_week_where_it_was_scored(ops, year):
    said = ops("drift", "retrain", SYSTEM, "--reason", "a storm", "--week", SCORED)
    assert f"retrain_{SYSTEM} launches" in said.out
    assert [row.week for row in year.platform.retraining.requests(SYSTEM)] == [SCORED]


def test_a_system_that_was_never_scored_is_trained_up_to_where_it_was_before(ops, home):
    put(home, "checkpoint", QUIET)
    put(home, "training_set", QUIET)
    assert ops("drift", "retrain", SYSTEM, "--reason", "new code", "--json").json()[0]["week"] == QUIET


def test_asking_twice_in_an_instant_gives_the_row_that_stands(ops, year):
    year.platform.clock.set(NOON)
    ops("drift", "retrain", SYSTEM, "--reason", "a storm")
    (row,) = ops("drift", "retrain", SYSTEM, "--reason", "another", "--json").json()
    (rehearsed,) = ops("drift", "retrain", SYSTEM, "--reason", "another", "--dry-run", "--json").json()
    assert (row["reason"], row["state"]) == ("a storm", "stands since it was asked first")
    assert rehearsed == row
    assert len(year.platform.retraining.requests(SYSTEM)) == 1


def test_a_dry_run_says_what_would_be_asked_and_writes_nothing(ops, year):
    (row,) = ops("drift", "retrain", SYSTEM, "--reason", "a storm", "--dry-run", "--json").json()
    assert (row["week"], row["state"]) == (STORM, "would be written")
    assert year.platform.retraining.requests(SYSTEM) == ()


def test_a_request_without_a_reason_is_wrong_usage(ops, year):
    assert ops("drift", "retrain", SYSTEM).code == 2
    assert "The reason is empty" in ops("drift", "retrain", SYSTEM, "--reason", " ").err


def test_a_system_of_which_nothing_was_accepted_cannot_be_trained_again(ops, home):
    put(home, "checkpoint", QUIET)
    said = ops("drift", "retrain", SYSTEM, "--reason", "a storm")
    assert said.code == 2
    assert "nothing of it was accepted" in said.err


def test_the_sensor_is_called_what_the_verb_calls_it():
    from ops_pipelines.components.model_retraining import sensor_name

    assert SENSOR.format(system=SYSTEM) == sensor_name(SimpleNamespace(name=SYSTEM))
