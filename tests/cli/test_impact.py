"""What `ops impact` says of this very project, on a home in which little was made."""

import pytest

from ops_pipelines.testing.release_store import move_after


def reached(said) -> dict[tuple[str, str], int]:
    return {(row["what"], row["id"]): row["distance"] for row in said.json()}


def test_a_dataset_reaches_the_feature_set_and_the_systems_that_read_it(ops, home):
    found = reached(ops("impact", "weather", "--json"))
    assert found["feature set", "flight_features"] == 1
    assert found["system", "flight_delay"] == found["system", "flight_duration"] == 2


@pytest.mark.parametrize(
    ("file", "thing", "distance"),
    [
        ("ops_pipelines/defs/mlops/delays/statistics.py", ("asset", "route_delays"), 1),
        ("ops_pipelines/defs/mlops/flight_delay/defs.yaml", ("system", "flight_delay"), 1),
        ("ops_pipelines/defs/mlops/flight_duration/training.py", ("system", "flight_duration"), 1),
        ("ops_pipelines/defs/mlops/flights/nycflights.py", ("asset", "landings"), 1),
        ("feature_repo/views.py", ("feature view", "aircraft"), 1),
        ("feature_repo/entities.py", ("feature view", "aircraft"), 2),
        ("feature_repo/services.py", ("feature set", "flight_features"), 2),
        ("ops_pipelines/mlops/training.py", ("system", "flight_delay"), 1),
        ("requirements.lock", ("system", "flight_delay"), 1),
    ],
)
def test_a_file_reaches_what_is_made_by_it(ops, home, file, thing, distance):
    assert reached(ops("impact", file, "--json"))[thing] == distance


def test_a_file_on_which_nothing_stands_reaches_nothing(ops, home):
    assert ops("impact", "LICENSE", "--json").json() == []


def test_a_system_reaches_its_live_release(ops, home):
    first = home.release("first")
    home.platform.releases.append(move_after(None, first))
    found = reached(ops("impact", "flight_delay", "--json"))
    assert found["release", f"flight_delay/{first}"] == 1
    assert found["live release", "flight_delay in production"] == 2


def test_a_release_that_is_not_live_reaches_the_weeks_that_it_scored(ops, home):
    second = home.release("second")
    home.publish("flight_delay/predictions", "2013-02-05", facts={"release": second})
    assert reached(ops("impact", second[:8], "--json")) == {("artefact", "flight_delay/predictions@2013-02-05"): 1}


def test_a_name_of_nothing_is_wrong_usage_with_the_nearest_name(ops, home):
    said = ops("impact", "wether")
    assert said.code == 2
    assert "Did you mean 'weather'?" in said.err


def test_partitions_that_are_as_far_away_share_a_line(ops, home):
    second = home.release("second")
    for week in ("2013-02-05", "2013-02-12"):
        home.publish("flight_delay/predictions", week, facts={"release": second})
    assert "flight_delay/predictions@2013-02-05 to 2013-02-12, 2 partitions" in ops("impact", second[:8]).out
