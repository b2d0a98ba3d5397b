"""Retention on a home in which one old release was trained on an old week, and much else lies about."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.lineage_sources import rebuild_release, rooms_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.reports import Reports
from ops_pipelines.adapters.retention import plan_for, sweep
from ops_pipelines.core.audit import read_entry
from ops_pipelines.core.clock import Window, day_of
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.release import Evidence, Manifest
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.core.walk import explain
from ops_pipelines.mlops.prediction_log import Answer
from ops_pipelines.testing.answer_log import answered_of
from ops_pipelines.testing.call_log import call_of
from ops_pipelines.testing.corpus_index import CORPUS, snapshot_of
from ops_pipelines.testing.prediction_log import answer_of

NOW = datetime(2013, 6, 4, tzinfo=UTC)
OLD, TRAINED, RECENT = "2013-01-01", "2013-01-08", "2013-05-28"
LAST_WEEK = 7 * 24 * 3600


@dataclass
class Home:
    """A platform, and ways to put things into it."""

    platform: Platform
    release: str = ""
    objects: dict[str, str] = field(default_factory=dict)

    def publish(self, key: str, partition: str, digest: str, *, verdict=None, facts=None, inputs=None) -> None:
        origin = Origin("r", "c", "code", NOW)
        made = Artefact(key, partition, digest, verdict or Passed(), inputs or {}, origin, facts or {})
        self.platform.lake.publish(pa.table({"prediction_id": [f"{key}/{partition}"]}), made)

    def put(self, name: str, content: bytes) -> str:
        self.objects[name] = self.platform.objects.put(content)
        return self.objects[name]

    def age(self) -> None:
        """Everything was written a week ago by the wall clock."""
        then = self.platform.clock.wall().timestamp() - LAST_WEEK
        for file in self.platform.project.home.rglob("*"):
            os.utime(file, (then, then))

    def retain(self, keep_weeks: int = 10) -> set[str]:
        gone = sweep(self.platform, plan_for(self.platform, keep_weeks=keep_weeks), actor="ada")
        return {f"{fate.stored.thing[0]} {fate.stored.thing[1].partition('#')[0]}" for fate in gone}

    def has(self, name: str) -> bool:
        return self.platform.objects.has(self.objects[name])


@pytest.fixture
def home(tmp_path, monkeypatch) -> Iterator[Home]:
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    monkeypatch.delenv("OPS_HOME", raising=False)
    here = Home(Platform.embedded(find_project(tmp_path)))
    here.platform.clock.set(NOW)
    for week in (OLD, TRAINED, RECENT):
        here.publish("flights", week, f"flights {week}")
    _train(here)
    here.publish("delay/predictions", OLD, "scores old", facts={"release": here.release})
    here.publish("delay/predictions", RECENT, "scores", facts={"release": here.release})
    here.put("orphan", b"nobody names me")
    for week in (OLD, RECENT):
        Reports(here.platform.project.home).publish("delay", week, b"<html>")
    here.age()
    yield here
    find_project.cache_clear()


def _train(here: Home) -> None:
    inputs = {f"flights@{TRAINED}": f"flights {TRAINED}"}
    dataset = here.put("dataset", canonical_json({"rows": "0" * 64, "inputs": inputs}))
    here.publish("delay/training_set", TRAINED, dataset, inputs=inputs)
    manifest = Manifest("delay", {"model": here.put("model", b"trees"), "dataset": dataset})
    facts = {
        "run": "r",
        "commit": "c",
        "training_set": f"delay/training_set@{TRAINED}",
        "golden": here.put("golden", b'["rows"]'),
    }
    here.platform.releases.save(manifest, Evidence(Blocked(("worse",)), None, NOW, facts))
    here.release = manifest.digest
    here.publish("delay/checkpoint", TRAINED, manifest.digest, facts={"release": manifest.digest})


def test_what_no_release_stands_on_goes_once_it_is_old(home):
    assert home.retain() == {
        f"data flights@{OLD}",
        f"data delay/predictions@{OLD}",
        f"object {home.objects['orphan']}",
        f"report delay/{OLD}",
    }
    assert not (home.platform.lake.root / "flights" / OLD).exists()
    assert home.platform.lake.partitions("flights") == [TRAINED, RECENT]


def test_every_release_live_or_refused_is_still_explained_whole_and_rebuilt(home):
    home.retain(keep_weeks=1)
    found = explain(home.release, rooms_of(home.platform))
    assert found.missing == ()
    assert f"flights@{TRAINED}" in [node.id for _, node in found.nodes]
    assert isinstance(rebuild_release(home.platform, "delay", home.release).verdict, Passed)
    assert home.has("golden")
    assert home.platform.lake.good("delay/checkpoint", TRAINED)


def test_what_goes_is_written_down_before_and_a_second_time_nothing_goes(home):
    assert home.retain()
    (written,) = (home.platform.project.home / "retention").iterdir()
    assert home.objects["orphan"] in written.read_text()
    assert home.retain() == set()


def test_what_was_written_within_a_day_stays(home):
    os.utime(home.platform.objects.root / home.objects["orphan"][:2] / home.objects["orphan"])
    home.publish("flights", OLD, "flights again")
    assert home.retain() == {f"data delay/predictions@{OLD}", f"report delay/{OLD}"}


def test_what_is_written_between_the_plan_and_the_sweep_stays(home):
    plan = plan_for(home.platform, keep_weeks=10)
    home.put("orphan", b"nobody names me")
    home.publish("flights", OLD, "flights again")
    gone = {fate.stored.thing[1].partition("#")[0] for fate in sweep(home.platform, plan, actor="ada")}
    assert gone == {f"delay/predictions@{OLD}", f"delay/{OLD}"}
    assert home.has("orphan")


def test_a_week_that_a_kept_week_was_made_from_stays(home):
    home.publish("delay/predictions", RECENT, "scores", inputs={f"flights@{OLD}": f"flights {OLD}"})
    home.age()
    assert f"data flights@{OLD}" not in home.retain()


def test_the_record_of_replaced_data_that_a_release_was_trained_on_stays_and_others_go(home):
    for week in (TRAINED, OLD):
        home.publish("flights", week, "corrected")
    home.age()
    assert {gone for gone in home.retain() if "flights" in gone} == {
        f"data flights@{OLD}",
        f"data flights@{TRAINED}",
        f"record flights@{OLD}",
    }
    assert explain(home.release, rooms_of(home.platform)).missing == ()


def test_refused_content_goes_with_the_decision_about_it(home):
    home.publish("landings", OLD, "refused", verdict=Blocked(("half of it",)))
    home.platform.lake.decide("landings", OLD, {"action": "exclude"})
    home.age()
    assert f"refused landings@{OLD}" in home.retain()
    assert not (home.platform.lake.root / "landings" / OLD).exists()


def test_a_whole_dataset_stays_however_old(home):
    home.publish("aircraft", "-", "planes")
    home.age()
    assert not [gone for gone in home.retain(keep_weeks=1) if "aircraft" in gone]


RECENT_WEEK = Window(datetime(2013, 5, 28, tzinfo=UTC), datetime(2013, 6, 4, tzinfo=UTC))


def answered(*ids: str) -> list[Answer]:
    return [answer_of(name, system="delay", asked_at=RECENT_WEEK.start + timedelta(hours=5)) for name in ids]


def test_log_rows_go_once_the_lake_holds_every_one_of_their_week(home):
    log = home.platform.predictions
    log.keep(answered(f"delay/served/{RECENT}"))
    assert home.retain() >= {f"data flights@{OLD}"}
    assert len(list(log.answers("delay", RECENT_WEEK))) == 1
    home.publish("delay/served", RECENT, "served")
    home.age()
    assert home.retain() == {f"log rows delay@{RECENT}"}
    assert list(log.answers("delay", RECENT_WEEK)) == []


def test_a_row_that_came_after_its_week_was_compacted_keeps_the_rows_of_that_week(home):
    home.platform.predictions.keep(answered(f"delay/served/{RECENT}", "late"))
    home.publish("delay/served", RECENT, "served")
    home.age()
    home.retain()
    assert len(list(home.platform.predictions.answers("delay", RECENT_WEEK))) == 2


def test_a_week_whose_last_compaction_was_refused_keeps_its_log_rows(home):
    home.platform.predictions.keep(answered(f"delay/served/{RECENT}"))
    home.publish("delay/served", RECENT, "served")
    home.publish("delay/served", RECENT, "other", verdict=Blocked(("the log says otherwise",)))
    home.age()
    home.retain()
    assert len(list(home.platform.predictions.answers("delay", RECENT_WEEK))) == 1


def test_what_goes_is_told_in_the_audit_with_the_digest_of_the_plan(home):
    home.retain()
    assert read_entry(home.platform.audit.rows()[-1]).action == "retain"


def test_a_bytes_object_that_is_put_again_is_new_again(home):
    file: Path = home.platform.objects.root / home.objects["model"][:2] / home.objects["model"]
    before = file.stat().st_mtime
    home.put("model", b"trees")
    assert file.stat().st_mtime > before
    assert not home.platform.objects.remove(
        home.objects["model"], before=home.platform.clock.wall() - timedelta(days=1)
    )


WALL = datetime.now(UTC)  # live answers are given at the wall clock's time, wherever a replay stands
DAY, DAY_AFTER = (day_of(WALL - timedelta(days=days)) for days in (7, 6))


@pytest.fixture
def asked(home):
    """A home in which one question was answered on a day, by one call, and another one on the day after."""
    home.platform.answers.keep(
        [answered_of("one", at=WALL - timedelta(days=7)), answered_of("two", at=WALL - timedelta(days=6))]
    )
    home.platform.calls.keep([call_of("call-1", at=WALL - timedelta(days=7))])
    return home


def compact(home, day, *ids, verdict=None):
    origin = Origin("r", "c", "code", NOW)
    made = Artefact("runbook_answers/answers", day, f"answers {day} {ids}", verdict or Passed(), {}, origin, {})
    home.platform.lake.publish(pa.table({"answer_id": list(ids)}), made)
    home.age()


def test_answers_go_from_the_log_once_the_lake_holds_every_one_of_their_day(asked):
    asked.retain()
    assert asked.platform.answers.find("one")
    compact(asked, DAY, "one")
    assert f"log rows runbook_answers/answers@{DAY}" in asked.retain()
    assert asked.platform.answers.find("one") is None
    assert asked.platform.answers.find("two")
    assert asked.platform.calls.find("call-1")


def test_a_late_answer_and_a_refused_compaction_keep_the_rows_of_their_day(asked):
    asked.platform.answers.keep([answered_of("late", at=WALL - timedelta(days=7))])
    compact(asked, DAY, "one")
    compact(asked, DAY_AFTER, "two")
    compact(asked, DAY_AFTER, "other", verdict=Blocked(("the log says otherwise",)))
    assert not {gone for gone in asked.retain() if "answers" in gone}
    assert [bool(asked.platform.answers.find(id)) for id in ("one", "late", "two")] == [True] * 3


def test_compacted_days_are_as_old_as_the_wall_clock_says(home):
    young, old = (day_of(WALL - timedelta(weeks=weeks)) for weeks in (1, 30))
    for day in (young, old):
        compact(home, day, "one")
    assert {gone for gone in home.retain(keep_weeks=10) if "answers" in gone} == {
        f"data runbook_answers/answers@{old}",
    }


@pytest.fixture
def notes(home):
    """A home with a corpus of three old snapshots, of which a release names the first."""
    index = Corpora(home.platform.project.home).index(CORPUS)
    (home.platform.project.home / "corpora").mkdir()
    texts = ({"a": "one"}, {"a": "two"}, {"a": "three"})
    taken = [snapshot_of(index, each, at=NOW - timedelta(weeks=20)) for each in texts]
    for number, snapshot in enumerate(taken):
        home.put(f"content {number}", snapshot.content)
    home.put("pin", canonical_json(taken[0].pin.to_json()))
    manifest = Manifest("runbook_answers", {"corpus": taken[0].digest})
    home.platform.releases.save(manifest, Evidence(Passed(), None, NOW))
    home.age()
    home.index, home.taken = index, taken
    return home


def test_a_snapshot_goes_that_is_old_and_that_neither_a_release_names_nor_is_the_latest(notes):
    first, second, latest = notes.taken
    gone = notes.retain()
    assert f"snapshot {CORPUS}" in gone
    assert list(notes.index.taken()) == [first.digest, latest.digest]
    assert [notes.has(f"content {number}") for number in range(3)] == [True, False, True]
    assert notes.has("pin")
    assert notes.index.at(first.digest).chunks()[0].text == "one"
    assert f"object {second.digest}" in gone


def test_a_snapshot_of_a_recent_week_stays_whatever_names_it(notes):
    assert not [gone for gone in notes.retain(keep_weeks=21) if "snapshot" in gone]


def test_a_snapshot_that_was_written_within_a_day_stays(notes):
    os.utime(notes.index.file(notes.taken[1].digest))
    assert not [gone for gone in notes.retain() if "snapshot" in gone]
