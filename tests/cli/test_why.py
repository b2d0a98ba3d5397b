from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.release import Evidence, Manifest
from ops_pipelines.core.verdict import Blocked, Passed


def test_an_unknown_name_is_wrong_usage_and_says_what_can_be_named(ops):
    said = ops("why", "deadbeef")
    assert said.code == 2
    assert "models:/<system>/<version>" in said.err


def test_a_release_is_found_by_its_first_digits(ops, home):
    first = home.release("first")
    told = ops("why", first[:8], "--json").json()
    row, part = told["nodes"]
    assert (row["what"], row["id"], row["facts"]["gate"]) == ("release", f"flight_delay/{first}", "passed")
    assert (part["what"], part["facts"]["bytes"], told["complete"], told["missing"]) == ("part", 5, True, [])


def test_a_release_is_rebuilt_from_its_parts_to_the_same_digest(ops, home):
    first = home.release("first")
    said = ops("why", first[:8], "--rebuild", "--json")
    assert (said.code, said.json()["rebuilt"], said.json()["same"]) == (0, first, True)


@pytest.mark.parametrize(
    ("harm", "problem"), [(lambda part: part.write_bytes(b"firsT"), "is now"), (Path.unlink, "is missing")]
)
def test_a_flipped_byte_or_a_lost_part_is_named(ops, home, harm, problem):
    first = home.release("first")
    harm(home.object(home.platform.objects.put(b"first")))
    said = ops("why", first, "--rebuild", "--json")
    assert (said.code, said.json()["same"]) == (1, False)
    assert problem in said.json()["parts"][0]["problem"]


def test_only_a_release_can_be_rebuilt(ops, home):
    home.publish("flights", "2013-02-05")
    assert ops("why", "flights@2013-02-05", "--rebuild").code == 2


def test_a_model_version_is_made_by_its_release(ops, home):
    facts = {"model_version": "3", "mlflow_run": "r", "training_set": None}
    evidence = Evidence(Passed(), None, datetime(2013, 2, 5, tzinfo=UTC), facts)
    home.platform.releases.save(Manifest("flight_delay", {"model": home.platform.objects.put(b"trees")}), evidence)
    rows = ops("why", "models:/flight_delay/3", "--json").json()["nodes"]
    assert [(row["depth"], row["what"]) for row in rows] == [(0, "model version"), (1, "release"), (2, "part")]
    assert len(ops("why", "models:/flight_delay/3", "--depth", "0", "--json").json()["nodes"]) == 1


def test_a_release_of_which_a_part_is_gone_is_not_complete_and_says_which(ops, home):
    said = ops("why", home.release("first", kept=False), "--json")
    assert (said.code, said.json()["complete"]) == (3, False)
    ((what, why),) = [(each["what"], each["why"]) for each in said.json()["missing"]]
    assert what == "part"
    assert "the bytes of model" in why


def test_an_unknown_model_version_is_answered_with_the_known_ones(ops, home):
    home.release("first")
    said = ops("why", "models:/flight_delay/7")
    assert said.code == 2
    assert "no model version '7'" in said.err


@pytest.mark.parametrize("name", ["aircraft", "aircraft@-"])
def test_a_whole_dataset_needs_no_partition(ops, home, name):
    home.publish("aircraft", "-")
    (row,) = ops("why", name, "--json").json()["nodes"]
    assert (row["id"], row["facts"]["verdict"]) == ("aircraft@-", "passed")


def test_refused_content_is_explained_where_nothing_was_accepted(ops, home):
    home.publish("flight_delay/checkpoint", "2013-02-05", Blocked(("worse",)))
    (row,) = ops("why", "flight_delay/checkpoint@2013-02-05", "--json").json()["nodes"]
    assert row["facts"]["verdict"] == "blocked"


def test_a_partition_that_was_never_written_is_answered_with_the_nearest(ops, home):
    home.publish("flights", "2013-02-05")
    said = ops("why", "flights@2013-02-06")
    assert said.code == 2
    assert "Did you mean 'flights@2013-02-05'?" in said.err


def test_a_prediction_that_a_server_made_is_found_in_the_week_that_it_was_compacted_into(ops, home):
    first, week, asked = home.release("first"), "2013-02-05", datetime(2013, 2, 6, tzinfo=UTC)
    name = f"flight_delay/online/7f3a/{first[:12]}"
    row = {"prediction_id": name, "score": 0.25, "release": first, "arm": "live", "asked_at": asked, "served_at": asked}
    made = Artefact("flight_delay/served", week, "d" * 64, Passed(), {}, Origin("run", "no-git", "code", asked))
    home.platform.lake.publish(pa.Table.from_pylist([row]), made)
    told = ops("why", name, "--json").json()
    assert told["complete"]
    assert [(node["what"], node["depth"]) for node in told["nodes"]] == [
        ("prediction", 0),
        ("release", 1),
        ("artefact", 1),
        ("part", 2),
    ]
    assert told["nodes"][0]["facts"]["arm"] == "live"


def test_a_prediction_that_is_not_there_says_so(ops):
    said = ops("why", "flight_delay/2013-02-05/UA1-EWR/0f3a")
    assert said.code == 3
    assert "There is no prediction" in said.err
