import pytest

from ops_pipelines.core.verdict import Blocked

WEEK = "2013-02-05"


@pytest.fixture
def refused(home):
    return home.publish("landings", WEEK, Blocked(("half of the rows are missing",)), facts={"summary": {"rows": 1}})


@pytest.mark.parametrize("action", ["accept", "exclude"])
def test_a_ruling_names_the_refused_content_and_the_reason(ops, home, refused, action):
    said = ops("data", action, "landings", WEEK, "--reason", "a storm", "--json")
    (row,) = said.json()
    assert (said.code, row["action"], row["digest"], row["partition"]) == (0, action, refused, f"landings@{WEEK}")
    ruling = home.platform.ruling(f"landings@{WEEK}")
    assert (ruling.action, ruling.digest, ruling.reason) == (action, refused, "a storm")


@pytest.mark.parametrize("reason", [(), ("--reason", "  ")])
def test_a_ruling_without_a_reason_is_wrong_usage(ops, home, refused, reason):
    assert ops("data", "accept", "landings", WEEK, *reason).code == 2
    assert home.platform.ruling(f"landings@{WEEK}") is None


def test_a_partition_that_passed_cannot_be_ruled_on(ops, home):
    home.publish("landings", WEEK)
    said = ops("data", "accept", "landings", WEEK, "--reason", "a storm")
    assert said.code == 2
    assert "was not refused" in said.err
    assert "Nothing is refused now" in said.err


def test_a_partition_that_was_never_written_is_answered_with_the_refused_one(ops, refused):
    said = ops("data", "exclude", "landngs", WEEK, "--reason", "a storm")
    assert said.code == 2
    assert f"Did you mean 'landings@{WEEK}'?" in said.err
