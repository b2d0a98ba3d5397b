"""Online features as the server reads them: opened beside the event loop, given up in time, and told where they are not."""

import asyncio

import pytest

from ops_pipelines.apps.model_server.feature_lookup import FeatureLookup
from ops_pipelines.core.errors import DataError
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.testing.online_features import ScriptedFeatures
from ops_pipelines.testing.release_store import NEW_YEAR
from ops_pipelines.testing.served import KEY, ROW, TRIPS


@pytest.fixture
def features():
    return ScriptedFeatures({"trips": TRIPS}, {"trips": {"t1": dict(ROW)}})


@pytest.fixture
def make_lookup():
    made = []

    def make(features, **settings):
        made.append(FeatureLookup(features, **settings))
        return made[-1]

    yield make
    for lookup in made:
        lookup.close()


def look_up(lookup, service=TRIPS):
    return asyncio.run(lookup.look_up(service, [{KEY: "t1"}], NEW_YEAR, entity=KEY))


def test_before_a_service_is_open_its_features_are_unavailable_and_that_is_a_problem(make_lookup, features):
    lookup = make_lookup(features)
    assert (lookup.settled({"trips"}), lookup.problem is None) == (False, False)
    with pytest.raises(DataError, match="not opened yet"):
        look_up(lookup)
    lookup.refresh({"trips"})
    assert (lookup.settled({"trips"}), lookup.problem) == (True, None)
    assert look_up(lookup).values == {name: [value] for name, value in ROW.items()}


def test_a_service_that_cannot_be_opened_is_settled_and_says_why(make_lookup, features):
    lookup = make_lookup(features)
    lookup.refresh({"trips", "unknown"})
    assert lookup.settled({"trips", "unknown"})
    assert "unknown" in lookup.problem


def test_where_definitions_are_applied_anew_they_are_opened_anew_and_the_old_ones_answer_until_then(
    make_lookup, features
):
    lookup = make_lookup(features)
    lookup.refresh({"trips"})
    features.services = {"trips": FeatureService("trips", TRIPS.tables * 2)}
    lookup.refresh({"trips"})
    assert look_up(lookup)
    features.version += 1
    lookup.refresh({"trips"})
    with pytest.raises(DataError, match="other definitions"):
        look_up(lookup)


def test_a_store_that_does_not_answer_in_time_is_given_up(make_lookup, features):
    lookup = make_lookup(features, timeout_seconds=0.05)
    lookup.refresh({"trips"})
    features.seconds = 0.5
    with pytest.raises(DataError, match=r"did not answer within 0\.05 s") as error:
        look_up(lookup)
    assert error.value.facts["unavailable"]
