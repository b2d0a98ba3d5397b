"""What the demo's chapter about an agent leaves behind, and what it says where there is nothing to tell."""

import os

import pytest

from ops_pipelines.cli.demo_agent import tell_agent
from ops_pipelines.cli.demo_people import people_of
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.principal import APPROVE, APPROVER, PROPOSER


def test_a_home_without_two_releases_is_told_which_chapter_comes_first(home):
    home.release("first")
    told = tell_agent(home.folder, lambda _what, _steps: None)
    assert ["the chapter `year` comes first" in row["outcome"] for row in told.rows] == [True]


def test_the_principals_of_the_chapter_are_none_of_the_home_which_stays_open(home):
    people = people_of(home.folder, home.platform, oncall=PROPOSER, ben=APPROVER)
    with people.acting_as("ben"):
        assert people.platform.access.whoever_may(APPROVE, "oncall", "production", otherwise="") == "ben"
    with people.acting_as("oncall"), pytest.raises(NotAllowed, match="oncall may not"):
        people.platform.access.whoever_may(APPROVE, "oncall", "production", otherwise="")
    assert home.platform.principals.everybody() == ()
    assert "OPS_TOKEN" not in os.environ


def test_whose_token_the_process_had_it_has_again(home, monkeypatch):
    monkeypatch.setenv("OPS_TOKEN", "ops_mine")
    with people_of(home.folder, home.platform, ben=APPROVER).acting_as("ben"):
        assert os.environ["OPS_TOKEN"] != "ops_mine"
    assert os.environ["OPS_TOKEN"] == "ops_mine"
