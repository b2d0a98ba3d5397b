"""A model's life: trained, gated, promoted, scoring, challenged, refused, raced for, rolled back and explained.

The trips of a made-up city are late when it is windy; from the third week on, when it is calm.
"""

import importlib
import json
import shutil
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import dagster as dg
import pytest

from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.dagster_runs import RunResult, TickResult
from ops_pipelines.adapters.lineage_sources import rooms_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import GOLDEN, judge_features
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.calendar import Weekly
from ops_pipelines.components.feature_set import FeatureSet
from ops_pipelines.core.composite import compose
from ops_pipelines.core.errors import ConfigError, LostRace, NotPromotable
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.pointer import PRODUCTION, STAGING, Decision, live_release, promote
from ops_pipelines.core.principal import ADMIN, PROMOTER, Grant
from ops_pipelines.core.release import Move, Release, find_release
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.core.walk import explain
from ops_pipelines.mlops.admission import Ruling
from ops_pipelines.testing.principal_store import principal_of
from ops_pipelines.testing.release_store import evidence_against

W0, W1, W2, W3, W4 = WEEKS = [f"2013-01-{day:02}" for day in (1, 8, 15, 22, 29)]
MODEL = "trip_delay"


@dataclass
class City:
    """The city's daemon and platform, and what was seen while five weeks went by."""

    daemon: InProcessDaemon
    platform: Platform
    first: str = ""
    second: str = ""
    waiting: TickResult | None = None

    def live(self) -> str | None:
        found = live_release(self.platform.releases, MODEL, PRODUCTION)
        return found.digest if found else None

    def history(self) -> tuple[Move, ...]:
        return self.platform.releases.history(MODEL, PRODUCTION)

    def release(self, digest: str) -> Release:
        return find_release(self.platform.releases, MODEL, digest)

    def scores(self, week: str) -> Any:
        return self.platform.lake.good(f"{MODEL}/predictions", week)

    def record(self, part: str, week: str) -> str | None:
        """Which release an asset of the model made in a week."""
        made = self.platform.lake.good(f"{MODEL}/{part}", week)
        return str(made.facts["release"]) if made else None

    def run(self, job: str, week: str | None = None, **config: Any) -> RunResult:
        """A job with the configuration of its first step."""
        op = {"train": f"{MODEL}__checkpoint", "score": f"{MODEL}__predictions"}.get(job, f"{job}_{MODEL}_release")
        op = f"roll_{MODEL}_back" if job == "rollback" else op
        given = {"ops": {op: {"config": config}}} if config else None
        return self.daemon.run_job("city", f"{job}_{MODEL}", partition_key=week, run_config=given)

    def live_through(self, *weeks: str) -> TickResult:
        """The weeks come in, features follow, and the scoring sensor looks."""
        for week in weeks:
            assert self.daemon.run_job("city", "arrivals", partition_key=week).status == "SUCCESS"
        self.platform.clock.set(datetime.fromisoformat(weeks[-1]).replace(tzinfo=UTC) + timedelta(weeks=1))
        self.settle()
        return next(tick for tick in self.daemon.tick_sensors() if tick.sensor == f"score_{MODEL}")

    def train(self, week: str) -> str:
        """The digest of a week's checkpoint, after automation had its turn."""
        assert self.run("train", week).error is None
        self.settle()
        return str(self.platform.lake.good(f"{MODEL}/checkpoint", week).digest)

    def settle(self) -> None:
        assert not [run for tick in self.daemon.settle_automation() for run in tick.runs if run.error]


@pytest.fixture(scope="module")
def project_root(tmp_path_factory: pytest.TempPathFactory, inside_the_city: Any) -> Iterator[Path]:
    with inside_the_city(tmp_path_factory.mktemp("city") / "project") as root:
        yield root


@pytest.fixture(scope="module")
def fresh_mlflow(project_root: Path) -> Path:
    """A home in which MLflow's database was made, which takes it seconds."""
    platform = Platform.embedded(replace(find_project(), home=project_root / "fresh"))
    platform.registry.create()
    return project_root / "fresh"


@pytest.fixture(scope="module")
def city(project_root: Path, fresh_mlflow: Path) -> Iterator[City]:
    """Two weeks, a release; two more weeks that it scores, a second release; a week that this one scores."""
    home = shutil.copytree(fresh_mlflow, project_root / "home")
    with InProcessDaemon(home / "dagster", {"city": "city_location"}) as daemon:
        city = City(daemon, Platform.embedded())
        city.platform.clock.set(datetime(2013, 1, 1, tzinfo=UTC))
        daemon.start_sensors(name="automation")
        daemon.start_sensors(name=f"score_{MODEL}")
        city.settle()
        city.waiting = city.live_through(W0, W1)
        city.first = city.train(W1)
        assert city.live() == city.first
        city.live_through(W2, W3)
        city.second = city.train(W3)
        city.live_through(W4)
        yield city


def test_the_first_checkpoint_is_gated_against_the_base_rate_and_promoted_by_automation(city):
    evidence = city.release(city.first).latest
    assert isinstance(evidence.verdict, Passed)
    assert evidence.baseline is None
    comparison = evidence.verdict.evidence["better"]["comparison"]
    assert comparison["champion_loss"] == pytest.approx(0.69, abs=0.03)  # about ln 2: half of the trips are late
    assert (city.history()[0].release, city.history()[0].actor[:4]) == (city.first, "run ")


def test_the_second_checkpoint_is_gated_against_the_first_and_promoted(city):
    assert city.release(city.second).latest.baseline == city.first
    assert [move.release for move in city.history()[:2]] == [city.first, city.second]
    aliases = city.platform.registry.aliases(MODEL)
    assert aliases == {"champion": str(city.release(city.live()).latest.facts["model_version"])}


def test_weeks_in_which_nothing_was_live_are_skipped_and_the_sensor_says_so(city):
    assert city.waiting.runs == ()
    assert city.waiting.skip_reason == "; ".join(f"no release was live when {week} began" for week in (W0, W1))
    assert city.scores(W0) is None


def test_each_week_is_scored_by_the_release_that_was_live_when_it_began(city):
    scored = {week: city.scores(week).facts["release"] for week in (W2, W3, W4)}
    assert scored == {W2: city.first, W3: city.first, W4: city.second}
    table = city.platform.lake.read(f"{MODEL}/predictions", W2)
    assert (table.num_rows, set(table.column("release").to_pylist())) == (100, {city.first})


def test_an_old_week_scored_again_after_a_promotion_has_the_old_scores(city):
    before = city.scores(W2)
    assert city.run("score", W2).status == "SUCCESS"
    after = city.scores(W2)
    assert after.origin.run_id != before.origin.run_id
    assert after.digest == before.digest


def test_a_release_that_knows_what_came_later_may_not_score_an_old_week(city):
    before = city.scores(W2)
    refused = city.run("score", W2, release=city.second[:12])
    assert "knows everything up to 2013-01-29" in refused.error
    assert city.scores(W2) == before


def test_a_label_that_became_known_after_the_cut_off_is_in_no_training_set(city):
    table = city.platform.lake.read(f"{MODEL}/training_set", W1).to_pandas()
    late_known = table[table.late.isna()].trip_id.tolist()
    assert late_known == ["0108-99"]  # the last trip of the second week, which arrived in the third
    assert table.arrived_at.max() < datetime(2013, 1, 15, tzinfo=UTC)
    judged = city.release(city.first).latest.verdict.evidence["better"]["comparison"]
    assert judged["rows"] == 99


def test_a_challenger_fitted_on_flipped_labels_is_refused_with_its_reasons_and_the_pointer_stays(city):
    history = city.history()
    assert "blocking asset check failed" in city.run("train", W4, train="city_code:flipped").error
    city.settle()
    refused = city.platform.lake.latest(f"{MODEL}/checkpoint", W4)
    assert isinstance(refused.verdict, Blocked)
    assert "a gain of -" in refused.verdict.reasons[0]
    assert city.release(refused.digest).latest.verdict.reasons == refused.verdict.reasons
    assert city.history() == history


@pytest.mark.parametrize(
    ("function", "why"),
    [("raising", "raising raised ZeroDivisionError: no trips on Sunday"), ("forgetful", "forgetful returned None")],
)
def test_a_training_function_that_breaks_is_a_training_error_and_leaves_nothing(city, function, why):
    releases, history = city.platform.releases.releases(MODEL), city.history()
    assert why in city.run("train", W4, train=f"city_code:{function}").error
    city.settle()
    assert (city.platform.releases.releases(MODEL), city.history()) == (releases, history)


def test_the_rollback_job_puts_the_first_release_back_and_the_promote_job_the_second(city):
    assert city.run("rollback", reason="too many complaints").status == "SUCCESS"
    assert city.live() == city.first
    assert city.run("promote", release=city.second[:12], reason="they were about the weather").status == "SUCCESS"
    assert city.live() == city.second
    assert [move.action for move in city.history()[-2:]] == ["rollback", "promote"]


def test_automation_does_not_bring_back_what_a_person_took_back(city):
    city.platform.roll_back(MODEL, city.first, actor="ann", reason="complaints")
    week = next(w for w in (W0, W1, W2, W3, W4) if city.record("release", w) == city.second)
    assert "was rolled back by ann: complaints" in city.daemon.backfill([f"{MODEL}/release"], [week]).runs[0].error
    assert city.live() == city.first
    city.platform.promote(MODEL, city.second, actor="ann", reason="the complaints were about the weather")


def test_of_two_promotions_at_once_one_wins_and_the_other_has_lost_the_race(city):
    city.platform.roll_back(MODEL, city.first, actor="ann", reason="so that both may promote")
    moves, both_have_looked = len(city.history()), Barrier(2, timeout=60)

    def attempt(actor: str) -> str:
        def resolves(name: str, digest: str) -> bool:
            if name == "model":
                both_have_looked.wait()
            return True

        now = city.platform.clock.as_of()
        decision = Decision(actor=actor, reason="mine", as_of=now, at=now)
        try:
            return promote(city.platform.releases, city.release(city.second), decision, resolves=resolves).action
        except LostRace:
            return "lost"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, ["ann", "bob"])) == ["lost", "promote"]
    assert len(city.history()) == moves + 1


def test_a_prediction_is_explained_down_to_release_run_dataset_features_and_commit(city):
    platform = city.platform
    prediction = platform.lake.read(f"{MODEL}/predictions", W4).column("prediction_id")[0].as_py()
    explained = explain(prediction, rooms_of(platform))
    assert explained.missing == ()
    found = {node.id: node for _, node in explained.nodes}
    release = found[f"{MODEL}/{city.second}"].facts
    assert {"run", "mlflow_run", "dataset", "features", "model", "code", "environment"} <= set(release)
    read = {f"{name}@{week}" for name in ("trips", "trip_ends") for week in (W2, W3)}
    assert {f"{MODEL}/training_set@{W3}", "trip_features/definitions@-", f"{MODEL}/predictions@{W4}", *read} <= set(
        found
    )
    assert all(value not in (None, "", "None") for node in found.values() for value in node.facts.values())
    assert not [node.id for node in found.values() if "state" in node.facts]  # nothing was replaced or lost since
    assert {node.facts["commit"] for node in found.values() if "commit" in node.facts} == {platform.project.commit()}


def test_the_ui_shows_the_command_that_says_why_and_links_to_what_a_thing_was_made_from(city):
    def shown(part: str, week: str) -> Any:
        keys = dg.AssetRecordsFilter(asset_key=dg.AssetKey([MODEL, part]), asset_partitions=[week])
        return city.daemon.instance.fetch_materializations(keys, limit=1).records[0].asset_materialization.metadata

    checkpoint, scores = shown("checkpoint", W3), shown("predictions", W4)
    assert checkpoint["why"].text == f"ops why '{city.record('checkpoint', W3)[:12]}'"
    assert checkpoint[f"made from {MODEL}/training_set"].asset_key == dg.AssetKey([MODEL, "training_set"])
    assert scores["why"].text.startswith(f"ops why '{MODEL}/{W4}/")
    assert scores["made from trips"].asset_key == dg.AssetKey("trips")


# other homes, without a daemon


@pytest.fixture
def elsewhere(fresh_mlflow: Path, tmp_path: Path) -> Platform:
    """The platform of another home, in which nothing was made yet."""
    return Platform.embedded(replace(find_project(), home=shutil.copytree(fresh_mlflow, tmp_path / "home")))


def make(platform: Platform, week: str, *assets: str) -> bool:
    """Some of the city's assets made in one run; whether all of them were."""
    defs = importlib.import_module("city_location").defs
    graph = [asset for asset in defs.assets if isinstance(asset, dg.AssetsDefinition)]
    given: dict[str, Any] = {"resources": {"platform": platform}, "partition_key": week, "raise_on_error": False}
    return dg.materialize(graph, selection=list(assets), **given).success


RAW = ("trips", "trip_ends")


def train_elsewhere(platform: Platform) -> Release:
    assert make(platform, W0, *RAW, "trip_features/definitions")
    assert make(platform, W1, *RAW, f"{MODEL}/training_set", f"{MODEL}/checkpoint")
    return platform.releases.releases(MODEL)[-1]


def test_the_same_training_in_another_home_gives_the_same_release(city, elsewhere):
    assert train_elsewhere(elsewhere).digest == city.first


def test_one_edited_value_of_one_row_gives_another_dataset_and_another_release(city, elsewhere, monkeypatch):
    monkeypatch.setenv("CITY_EDIT", "0.001")
    edited, first = train_elsewhere(elsewhere).manifest, city.release(city.first).manifest
    assert edited.digest != first.digest
    assert {part for part, digest in first.behaviour.items() if edited.behaviour[part] != digest} == {
        "dataset",
        "model",
    }


def test_an_excluded_week_is_named_in_the_training_sets_manifest_and_is_no_input(project_root, elsewhere, monkeypatch):
    with monkeypatch.context() as doubled:
        doubled.setenv("CITY_COPIES", "2")
        assert not make(elsewhere, W0, *RAW, "trip_features/definitions")
    refused = elsewhere.lake.latest("trip_ends", W0)
    ruling = Ruling("exclude", refused.digest, "ann", "delivered twice", elsewhere.clock.wall())
    elsewhere.lake.decide("trip_ends", W0, ruling.to_json())
    assert make(elsewhere, W1, *RAW, f"{MODEL}/training_set")
    made = elsewhere.lake.good(f"{MODEL}/training_set", W1)
    manifest = json.loads(elsewhere.objects.get(made.digest))
    assert manifest["excluded"] == [f"trip_ends@{W0}"]
    assert made.facts["excluded"] == {f"trip_ends@{W0}": "ann: delivered twice"}
    assert f"trip_ends@{W0}" not in manifest["inputs"]


def test_an_unknown_feature_service_is_a_config_error_that_names_the_nearest(project_root, elsewhere):
    typo = FeatureSet(name="typo", service="trip_dely", weekly=Weekly(start="2013-01-01"), datasets=["trips"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # as `load_tree` does
        definitions, _ = typo.build_defs(None).assets
    with pytest.raises(ConfigError, match=r"'trip_dely'.*Did you mean 'trip_delay'\?"):
        dg.materialize([definitions], resources={"platform": elsewhere})
    assert elsewhere.lake.latest("typo/definitions") is None


# Where something else is installed than when the gate let a release in


def other_rows(platform: Platform, digest: str) -> None:
    """Evidence that names golden rows with other scores, as a changed library would leave them."""
    release = find_release(platform.releases, MODEL, digest)
    golden = json.loads(platform.objects.get(release.latest.facts[GOLDEN]))
    golden["scores"] = [score / 2 for score in golden["scores"]]
    facts = {**release.latest.facts, GOLDEN: platform.objects.put(canonical_json(golden))}
    platform.releases.save(release.manifest, replace(release.latest, facts=facts))


def test_a_release_of_another_environment_is_not_promoted_and_the_packages_are_named(elsewhere, tmp_path):
    trained = train_elsewhere(elsewhere)
    lock = tmp_path / "requirements.lock"
    lock.write_text(elsewhere.project.lock.read_text().replace("==1", "==2"))
    moved = replace(elsewhere, project=replace(elsewhere.project, lock=lock))
    with pytest.raises(
        NotPromotable, match="1 package differs from the environment that it was trained in: nothing 1 → 2"
    ):
        moved.promote(MODEL, trained.digest, actor="ann", reason="it is better")
    assert moved.releases.history(MODEL, PRODUCTION) == ()
    assert elsewhere.promote(MODEL, trained.digest, actor="ann", reason="it is better").move is not None


def test_automation_promotes_into_staging_and_a_person_takes_it_to_production(elsewhere):
    staged = replace(elsewhere, project=replace(elsewhere.project, environments=(STAGING, PRODUCTION)))
    trained = train_elsewhere(staged)
    assert make(staged, W1, f"{MODEL}/release")
    assert [move.release for move in staged.releases.history(MODEL, STAGING)] == [trained.digest]
    assert staged.releases.history(MODEL, PRODUCTION) == ()
    assert staged.promote(MODEL, trained.digest, actor="ann", reason="a quiet day").move.environment == PRODUCTION
    assert staged.registry.aliases(MODEL).keys() == {"champion", STAGING}


def test_automation_without_a_token_releases_nothing_once_there_is_a_principal(elsewhere, monkeypatch):
    trained = train_elsewhere(elsewhere)
    for number, (name, grant) in enumerate([("ann", Grant(ADMIN)), ("robot", Grant(PROMOTER, MODEL))], start=1):
        elsewhere.principals.register(principal_of(name, grant, sequence=number))
    assert not make(elsewhere, W1, f"{MODEL}/release")
    monkeypatch.setenv("OPS_TOKEN", "robot")
    assert make(elsewhere, W1, f"{MODEL}/release")
    assert [(move.actor, move.release) for move in elsewhere.releases.history(MODEL, PRODUCTION)] == [
        ("robot", trained.digest)
    ]


def test_a_release_whose_golden_rows_score_otherwise_is_not_even_forced(elsewhere):
    trained = train_elsewhere(elsewhere)
    other_rows(elsewhere, trained.digest)
    with pytest.raises(NotPromotable, match="golden rows score otherwise"):
        elsewhere.override(MODEL, trained.digest, actor="ann", reason="an outage", lasting=timedelta(hours=1))
    assert elsewhere.releases.history(MODEL, PRODUCTION) == ()


def test_a_release_whose_golden_rows_score_otherwise_is_not_promoted(elsewhere):
    trained = train_elsewhere(elsewhere)
    other_rows(elsewhere, trained.digest)
    with pytest.raises(NotPromotable, match=r"\d+ of \d+ golden rows score otherwise than when the gate let"):
        elsewhere.promote(MODEL, trained.digest, actor="ann", reason="it is better")


def test_a_composite_stands_and_falls_with_the_model_that_it_uses(elsewhere):
    used = train_elsewhere(elsewhere).digest
    manifest = compose("desk", {"prompt": elsewhere.objects.put(b"hello")}, uses={MODEL: used})
    elsewhere.releases.save(manifest, evidence_against(None))
    whole = elsewhere.release("desk", manifest.digest)
    assert isinstance(elsewhere.works_here(whole), Passed)
    assert explain(manifest.digest, rooms_of(elsewhere)).missing == ()
    other_rows(elsewhere, used)
    with pytest.raises(NotPromotable, match="golden rows score otherwise"):
        elsewhere.promote("desk", manifest.digest, actor="ann", reason="it is better")
    assert elsewhere.still_answers(whole).reasons


def test_a_model_whose_feature_service_lacks_what_it_needs_does_not_fit(elsewhere):
    trained = train_elsewhere(elsewhere)
    assert isinstance(judge_features(elsewhere.objects, trained), Passed)
    empty = elsewhere.objects.put(canonical_json({"name": "trip_delay", "tables": []}))
    behaviour = {**trained.manifest.behaviour, "features": empty}
    other = replace(trained, manifest=replace(trained.manifest, behaviour=behaviour))
    assert "its service 'trip_delay' has no 'wind'" in judge_features(elsewhere.objects, other).reasons[0]


def test_a_release_whose_golden_rows_score_otherwise_scores_nothing_and_is_not_put_back(elsewhere):
    first = train_elsewhere(elsewhere).digest
    elsewhere.clock.set(datetime(2013, 1, 15, tzinfo=UTC))
    elsewhere.promote(MODEL, first, actor="ann", reason="the first")
    assert make(elsewhere, W2, "trips", "trip_ends")
    assert make(elsewhere, W2, f"{MODEL}/predictions")
    before = elsewhere.lake.good(f"{MODEL}/predictions", W2)
    other_rows(elsewhere, first)
    assert not make(elsewhere, W2, f"{MODEL}/predictions")
    assert "golden rows score otherwise" in elsewhere.lake.latest(f"{MODEL}/predictions", W2).verdict.reasons[0]
    assert elsewhere.lake.file(f"{MODEL}/predictions", W2).is_file()
    assert elsewhere.still_answers(find_release(elsewhere.releases, MODEL, first)).reasons
    assert before.facts["release"] == first


# Values instead of chances


def test_a_regression_is_searched_weighted_gated_and_scores_its_weeks(elsewhere):
    assert make(elsewhere, W0, *RAW, "trip_features/definitions")
    assert make(elsewhere, W1, *RAW)
    assert make(elsewhere, W2, *RAW, "trip_minutes/training_set", "trip_minutes/checkpoint")
    (release,) = elsewhere.releases.releases("trip_minutes")
    facts = release.latest.facts
    assert isinstance(release.latest.verdict, Passed)
    assert facts["metrics"]["absolute_error"] < 2 < facts["metrics"]["mean_score"]
    assert len(facts["search"]) == 4
    assert facts["recipe"]["params"].get("ridge") != 1000.0
    assert facts["importance"][0]["feature"] == "wind"
    elsewhere.clock.set(datetime(2013, 1, 22, tzinfo=UTC))
    elsewhere.promote("trip_minutes", release.digest, actor="ann", reason="the first")
    assert make(elsewhere, W3, *RAW)
    assert make(elsewhere, W3, *(f"trip_minutes/{part}" for part in ("predictions", "drift", "performance")))
    measured = elsewhere.lake.good("trip_minutes/performance", W3).findings["performance"].evidence
    assert (measured["loss_name"], measured["loss"] < 2) == ("absolute_error", True)
