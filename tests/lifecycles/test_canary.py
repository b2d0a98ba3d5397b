"""Online traffic and canaries: what servers answered reaches scores, drift and performance, and a canary is judged by it.

The trips of the made-up city are late when it is windy, from the third week to the fifth when it is calm, and then when
it is windy again. The first release knows the wind, the second one the calm.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ops_pipelines.adapters.canary_door import begin_canary
from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import predictor_of
from ops_pipelines.core.clock import Window
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import find_release
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.mlops.canary import takes
from ops_pipelines.mlops.prediction_log import CANARY, LIVE, Answer

MODEL = "trip_delay"
W0, W1, W2, W3, W4, W5, W6 = [f"{datetime(2013, 1, 1, tzinfo=UTC) + timedelta(weeks=n):%Y-%m-%d}" for n in range(7)]
SENSORS = ("automation", *(f"{verb}_{MODEL}" for verb in ("score", "watch", "canary")))


def start_of(week: str) -> datetime:
    return datetime.fromisoformat(week).replace(tzinfo=UTC)


def window_of(week: str) -> Window:
    return Window(start_of(week), start_of(week) + timedelta(weeks=1))


@dataclass
class City:
    """The city's daemon and platform, and the two releases that it comes to have."""

    daemon: InProcessDaemon
    platform: Platform
    first: str = ""
    second: str = ""

    def live_through(self, week: str) -> None:
        """A week comes in, and the daemon ticks until nothing is launched any more."""
        assert self.daemon.run_job("city", "arrivals", partition_key=week).error is None
        self.platform.clock.set(window_of(week).end)
        for _ in range(10):
            ticks = self.daemon.tick_sensors() + self.daemon.tick_automation()
            assert not [tick.error for tick in ticks if tick.error]
            assert not [run.error for tick in ticks for run in tick.runs if run.error]
            if not any(tick.runs for tick in ticks):
                return
        raise AssertionError("the daemon did not come to rest")

    def train(self, week: str) -> str:
        assert self.daemon.run_job("city", f"train_{MODEL}", partition_key=week).error is None
        self.daemon.settle_automation()
        return str(self.platform.lake.good(f"{MODEL}/checkpoint", week).digest)

    def ask(self, week: str, release: str, arm: str, trips: Iterable[str], *, hurried: bool = False) -> list[Answer]:
        """A server's answers about some trips of a week that has not come in yet, kept in the log."""
        rows = pa.Table.from_pandas(self.trips(week, trips), preserve_index=False)
        scores = predictor_of(self.platform.objects, find_release(self.platform.releases, MODEL, release))(rows)
        answers = [
            Answer(
                id=f"{MODEL}/online/{arm}{row['trip_id']}{'again' * hurried}/{release[:12]}",
                system=MODEL,
                release=release,
                arm=arm,
                entity=row["trip_id"],
                asked_at=row["asked_at"].to_pydatetime(),
                served_at=self.platform.clock.wall(),
                score=float(score),
                vector={"wind": row["wind"]},
            )
            for row, score in zip(rows.to_pandas().to_dict("records"), scores, strict=True)
        ]
        self.platform.predictions.keep(answers)
        return answers

    def trips(self, week: str, wanted: Iterable[str] | None = None) -> Any:
        import city_code

        rows = city_code.trips(start_of(week), None)
        return rows if wanted is None else rows[rows.trip_id.isin(list(wanted))]

    def ask_about_a_week(self, week: str, canary: Any) -> None:
        """A server's answers to a request for each trip of a week, while a canary runs."""
        trips = self.trips(week).trip_id.tolist()
        taken = {trip for trip in trips if takes(canary, trip)}
        self.ask(week, canary.candidate, CANARY, taken)
        self.ask(week, canary.champion, LIVE, set(trips) - taken)

    def good(self, part: str, week: str) -> Any:
        return self.platform.lake.good(f"{MODEL}/{part}", week)

    def table(self, part: str, week: str) -> Any:
        return self.platform.lake.read(f"{MODEL}/{part}", week).to_pandas()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, inside_the_city: Any) -> Iterator[Path]:
    small = "window_weeks: 2\n  canary: {min_rows: 30}\n  drift: {min_rows: 50}\n  performance: {min_rows: 50}"
    edit = {"2013-02-05": "2013-02-19", "window_weeks: 2": small}
    with inside_the_city(tmp_path_factory.mktemp("city") / "project", edit=edit) as root:
        yield root


@pytest.fixture(scope="module")
def city(root: Path) -> Iterator[City]:
    """Two weeks and a release; a week with online traffic; one more and a second release; a canary that does harm, one
    that does good, and a week without any.
    """
    platform = Platform.embedded()
    platform.registry.create()
    platform.clock.set(start_of(W0))
    with InProcessDaemon(root / "home" / "dagster", {"city": "city_location"}) as daemon:
        city = City(daemon, platform)
        for name in SENSORS:
            daemon.start_sensors(name=name)
        daemon.settle_automation()
        city.live_through(W0)
        city.live_through(W1)
        city.first = city.train(W1)
        trips = city.trips(W2).trip_id.tolist()
        city.ask(W2, city.first, LIVE, trips[:40])
        city.live_through(W2)
        city.live_through(W3)
        city.second = city.train(W3)
        for week in (W4, W5):
            canary = begin_canary(platform, MODEL, city.first, share=0.5, actor="ann", reason="the wind is back")
            city.ask_about_a_week(week, canary)
            city.live_through(week)
        yield city


def test_what_was_answered_online_is_compacted_with_every_release_and_arm(city):
    assert [city.table("served", week).shape[0] for week in (W2, W4, W5)] == [40, 100, 100]
    assert set(city.table("served", W4).groupby("release").arm.unique().map(tuple).items()) == {
        (city.first, (CANARY,)),
        (city.second, (LIVE,)),
    }
    assert isinstance(city.good("served", W4).verdict, Passed)


def test_a_week_in_which_nobody_asked_has_no_compaction(city):
    assert city.platform.lake.latest(f"{MODEL}/served", W3) is None
    assert f"{MODEL}/served@{W3}" not in city.good("predictions", W3).inputs


def test_a_weeks_scores_are_what_its_release_answered_online_where_it_did(city):
    scores = city.table("predictions", W4)
    online = scores.prediction_id.str.startswith(f"{MODEL}/online/")
    asked = city.table("served", W4)
    assert (len(scores), scores.trip_id.nunique(), set(scores.release)) == (100, 100, {city.second})
    assert set(scores[online].trip_id) == set(asked[asked.arm == LIVE].trip_id)
    assert city.good("predictions", W4).inputs[f"{MODEL}/served@{W4}"] == city.good("served", W4).digest


def test_drift_and_performance_judge_scores_with_online_answers_among_them(city):
    scored = city.good("predictions", W2)
    for part in ("drift", "performance"):
        assert city.good(part, W2).inputs[scored.address] == scored.digest
    assert city.good("performance", W2).facts["coverage"] == 0.99


def test_the_log_forgets_a_week_once_it_and_one_more_are_over(city):
    left = {week: len(list(city.platform.predictions.answers(MODEL, window_of(week)))) for week in (W2, W4, W5)}
    assert left == {W2: 0, W4: 0, W5: 100}


def test_a_canary_that_does_harm_is_taken_back_by_itself_and_the_pointer_never_moved(city):
    (canary, ending), *_ = city.platform.canaries.past(MODEL, PRODUCTION)
    assert (canary.candidate, ending.actor[:4]) == (city.first, "run ")
    assert ending.reason.startswith("it does harm: log loss +")
    moves = city.platform.releases.history(MODEL, PRODUCTION)
    assert [move.release for move in moves] == [city.first, city.second]


def test_the_finding_of_its_week_says_why_and_that_both_saw_the_same_on_the_same_rows(city):
    told = city.good("canary", W4)
    finding = told.findings["canary"]
    assert isinstance(finding, Blocked)
    assert (told.facts["ended"], told.facts["release"]) == (True, city.first)
    assert told.facts["paired"]["gain"] < 0
    assert f"trip_ends@{W4}" in told.inputs


def test_a_canary_that_is_not_worse_passes_and_runs_on_until_a_person_decides(city):
    told = city.good("canary", W5)
    assert isinstance(told.findings["canary"], Passed)
    assert {f"{MODEL}/served@{W5}", f"trip_ends@{W5}"} <= set(told.inputs)
    assert city.platform.canaries.running(MODEL, PRODUCTION).candidate == city.first


# in this order: what follows changes the city


def test_a_week_compacted_again_is_the_same_although_the_log_forgot_it(city):
    before = city.good("served", W2)
    assert city.daemon.backfill([f"{MODEL}/served"], [W2]).runs[0].error is None
    after = city.good("served", W2)
    assert after.origin.run_id != before.origin.run_id
    assert after.digest == before.digest


def test_an_answer_that_is_not_in_the_lake_yet_is_not_forgotten(city):
    (late,) = city.ask(W2, city.first, LIVE, ["0115-50"], hurried=True)
    assert city.daemon.backfill([f"{MODEL}/served"], [W5]).runs[0].error is None
    assert city.platform.predictions.find(late.id) == late


def test_answers_that_came_late_are_compacted_with_the_next_week_and_scored(city):
    trips = city.trips(W5).trip_id.tolist()
    (late,) = city.ask(W5, city.second, LIVE, trips[:1], hurried=True)
    city.live_through(W6)
    assert len(city.table("served", W5)) == 101
    assert late.id in set(city.table("predictions", W5).prediction_id)
    assert city.table("served", W2).shape[0] == 41


def test_a_canary_whose_champion_is_live_no_more_is_over(city):
    city.platform.roll_back(MODEL, city.first, actor="ann", reason="the wind stays")
    assert city.daemon.run_job("city", f"canary_{MODEL}", partition_key=W6).error is None
    assert city.platform.canaries.running(MODEL, PRODUCTION) is None
    assert city.platform.canaries.past(MODEL, PRODUCTION)[-1][1].reason == "the pointer has moved since it began"
    assert city.good("canary", W6).findings["canary"] == Passed({"running": None})
