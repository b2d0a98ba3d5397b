"""What a week is compared with, from a lake of made-up scores: nothing here goes through Dagster's engine."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project
from ops_pipelines.components.model_drift import make_drift
from ops_pipelines.components.model_settings import Drift
from ops_pipelines.core.fingerprint import canonical_json, digest_json
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.release import Evidence, Manifest
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.calibration import SCORE, Expectations
from ops_pipelines.mlops.drift import FEATURE, FEATURE_DRIFT, PREDICTION, PREDICTION_DRIFT, DriftRule, profile_column
from ops_pipelines.mlops.performance import Expected
from ops_pipelines.mlops.reference import SAME_SEASON, ReferenceRule

FIRST, ROWS, NOON = date(2013, 1, 1), 600, datetime(2013, 3, 5, 12, tzinfo=UTC)


def week(number: int) -> str:
    return (FIRST + timedelta(weeks=number)).isoformat()


def scores(seed: int, *, wind: float = 0.0, rows: int = ROWS, at_sea: float = 0.0) -> pa.Table:
    """The scored rows of a week: a wind, which may be another one at JFK, its airport, and the score."""
    random = np.random.default_rng(seed)
    airport = random.choice(["EWR", "JFK"], size=rows)
    blown = random.normal(wind, size=rows) + at_sea * (airport == "JFK")
    return pa.table({"airport": airport, "wind": blown, SCORE: random.random(rows)})


class Harbour:
    """A platform in a folder, with one release that was fitted on five calm weeks."""

    def __init__(self, folder) -> None:
        project = Project(folder, folder / "home", folder / "features", folder / "evals", folder / "lock")
        self.platform = Platform.embedded(project)
        self.put("training_set", week(0), scores(99, rows=5 * ROWS))
        self.release = self.fitted("one")

    def put(self, part: str, key: str, table: pa.Table, *, verdict=None, **facts) -> None:
        origin = Origin("run-1", "no-git", "code", NOON)
        digest = digest_json([part, key, facts, table.num_rows])
        self.platform.lake.publish(table, Artefact(f"m/{part}", key, digest, verdict or Passed(), {}, origin, facts))

    def fitted(self, name: str) -> str:
        """The digest of a release with that name."""
        frame, weeks = scores(99, rows=5 * ROWS).to_pandas(), np.repeat(np.arange(5), ROWS)
        columns = tuple(
            profile_column(column, PREDICTION if column == SCORE else FEATURE, frame[column], weeks) for column in frame
        )
        kept = self.platform.objects.put(canonical_json(Expectations(columns, Expected((0.6,), (0.0,))).to_json()))
        trained = self.platform.lake.accepted("m/training_set", week(0))
        manifest = Manifest("m", {"model": self.platform.objects.put(name.encode()), "dataset": trained.digest})
        facts = {"expectations": kept, "training_set": trained.address}
        self.platform.releases.save(manifest, Evidence(Passed(), None, NOON, facts))
        return manifest.digest

    def score(self, number: int, table: pa.Table, *, by: str | None = None, verdict=None) -> None:
        self.put("predictions", week(number), table, verdict=verdict, release=by or self.release)

    def judge(self, number: int, *, slices: tuple[str, ...] = (), **drift):
        return make_drift(
            SimpleNamespace(name="m", slices=list(slices), drift=Drift(**drift)), self.platform, week(number)
        )


@pytest.fixture
def harbour(tmp_path) -> Harbour:
    return Harbour(tmp_path)


@pytest.fixture
def summer(harbour: Harbour) -> Harbour:
    """Six weeks of a stronger wind than the release knows."""
    for number in range(10, 16):
        harbour.score(number, scores(number, wind=1.0))
    return harbour


def names(product) -> set[str]:
    return {at.rpartition("@")[2] for at in product.inputs}


def test_by_default_a_week_is_compared_with_the_training_period_and_only_its_scores_are_read(summer) -> None:
    made = summer.judge(15)
    assert isinstance(made.findings[FEATURE_DRIFT], Blocked)
    assert made.findings[FEATURE_DRIFT].reasons[0].startswith("wind: PSI ")
    assert isinstance(made.findings[PREDICTION_DRIFT], Passed)
    assert names(made) == {week(15)}
    assert (made.facts["reference"], made.facts["reference_windows"]) == ("training", [])


def test_a_week_like_the_weeks_before_it_is_quiet_though_it_is_not_like_the_training_period(summer) -> None:
    made = summer.judge(15, reference="trailing", reference_weeks=4)
    assert {type(finding) for finding in made.findings.values()} == {Passed}
    assert names(made) == {week(number) for number in range(11, 16)}
    assert made.facts["reference_windows"] == [week(number) for number in range(11, 15)]
    summer.score(16, scores(16, wind=0.0))
    assert isinstance(summer.judge(16, reference="trailing").findings[FEATURE_DRIFT], Blocked)


def test_a_refused_week_is_no_reference_and_an_older_one_takes_its_place(summer) -> None:
    summer.score(14, scores(14, wind=9.0), verdict=Blocked(("not finite",)))
    made = summer.judge(15, reference="trailing", reference_weeks=4)
    assert names(made) == {week(number) for number in (10, 11, 12, 13, 15)}


def test_scores_of_another_release_are_no_reference_for_this_ones(summer) -> None:
    other = summer.fitted("two")
    for number in range(10, 14):
        summer.score(number, scores(number, wind=1.0), by=other)
    found = summer.judge(15, reference="trailing").findings
    assert isinstance(found[FEATURE_DRIFT], Passed)
    assert isinstance(found[PREDICTION_DRIFT], NotEvaluated)
    assert "fewer than 3 windows" in found[PREDICTION_DRIFT].why


def test_a_feature_of_another_type_is_no_reference(summer) -> None:
    for number in range(10, 14):
        table = scores(number)
        summer.score(number, table.set_column(1, "wind", table.column("wind").cast(pa.string())))
    rows = {row["name"]: row for row in summer.judge(15, reference="trailing").table.to_pylist()}
    assert (rows["wind"]["limit"], rows["airport"]["limit"]) == (None, 0.05)


def test_the_same_season_needs_a_year_and_then_is_what_a_week_is_compared_with(summer) -> None:
    short = summer.judge(15, reference="same_season")
    assert (
        "a year before 2013-04-16, and 3 are needed; scores go back to 2013-03-12" in short.findings[FEATURE_DRIFT].why
    )
    assert isinstance(short.verdict, Passed)
    summer.score(65, scores(65, wind=1.0))
    made = summer.judge(65, reference="same_season", reference_weeks=4)
    assert made.facts["reference_windows"] == [week(number) for number in (11, 12, 13, 14)]
    assert isinstance(made.findings[FEATURE_DRIFT], Passed)
    assert isinstance(summer.judge(65).findings[FEATURE_DRIFT], Blocked)


@pytest.mark.parametrize("reference", ["training", "trailing"])
def test_a_column_that_moved_at_one_airport_is_named_with_it_and_does_not_gate(harbour, reference) -> None:
    for number in range(10, 14):
        harbour.score(number, scores(number))
    harbour.score(14, scores(14, at_sea=0.8))
    made = harbour.judge(14, slices=("airport",), reference=reference, floor=0.3)
    rows = {row["name"]: row for row in made.table.to_pylist()}
    assert rows["wind"]["within"].startswith("airport=JFK: PSI ")
    assert (rows["airport"]["within"], rows[SCORE]["within"]) == ("", "")
    assert isinstance(made.findings[FEATURE_DRIFT], Passed)
    assert ("m/training_set@" + week(0) in made.inputs) == (reference == "training")


def test_a_training_set_that_was_made_again_since_is_not_taken_for_the_releases_own(harbour) -> None:
    harbour.score(10, scores(10, at_sea=5.0))
    harbour.put("training_set", week(0), scores(1), again="yes")
    made = harbour.judge(10, slices=("airport",))
    assert {row["within"] for row in made.table.to_pylist()} == {""}
    assert names(made) == {week(10)}


def test_the_reference_is_chosen_in_yaml() -> None:
    drift = Drift.resolve_from_yaml("{reference: same_season, reference_weeks: 6, floor: 0.2}")
    assert drift.compared_with() == ReferenceRule(SAME_SEASON, 6)
    assert drift.rule() == DriftRule(floor=0.2)
    assert Drift().compared_with() == ReferenceRule()


def test_a_reference_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValidationError, match="'training', 'trailing' or 'same_season'"):
        Drift(reference="winter")
