"""Which requests go straight to a door, and that every other one still goes the usual way."""

import asyncio

import pytest

from ops_pipelines.apps.model_server.hot_path import HotPath

LOCAL = [(b"host", b"localhost:8080")]


def way_of(path, headers=LOCAL, *, kind="http"):
    """The name of the application that a request comes to, and the parameters that it comes with."""
    came = []

    def named(name):
        async def app(scope, receive, send):
            came.append((name, scope.get("path_params")))

        return app

    hot = HotPath(named("rest"), infer=named("infer"), predict=named("predict"), hosts=("localhost", "127.0.0.1"))
    asyncio.run(hot({"type": kind, "path": path, "headers": headers}, None, None))
    return came[0]


def test_requests_for_predictions_go_straight_to_their_doors():
    assert way_of("/v2/models/trips/infer") == ("infer", {"system": "trips"})
    assert way_of("/v1/predict/trips") == ("predict", {"system": "trips"})


@pytest.mark.parametrize(
    "path", ["/", "/v2/models//infer", "/v2/models/trips/infer/", "/v2/models/trips/versions/ab/infer", "/v1/predict/"]
)
def test_every_other_path_goes_the_usual_way(path):
    assert way_of(path) == ("rest", None)


@pytest.mark.parametrize(
    "headers",
    [[], [(b"host", b"evil.example")], [(b"host", b"localhost.evil.example")], [(b"host", b"localhost")] * 2],
    ids=["no host", "another host", "a longer host", "two hosts"],
)
def test_a_request_that_names_not_one_served_host_goes_the_usual_way_which_refuses_it(headers):
    assert way_of("/v2/models/trips/infer", headers) == ("rest", None)


def test_the_start_and_the_end_of_the_server_go_the_usual_way():
    assert way_of("", kind="lifespan") == ("rest", None)
