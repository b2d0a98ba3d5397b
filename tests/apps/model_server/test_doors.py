"""Requests and their answers: what is refused, by which status and which field, and that a worker goes on after it."""

import gzip
import json

import pytest

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.sqlite_canaries import SQLiteCanaryStore
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.mlops.canary import Canary, takes
from ops_pipelines.mlops.prediction_log import CANARY, LIVE
from ops_pipelines.testing.release_store import NEW_YEAR
from ops_pipelines.testing.served import KEY, LINEAR, ROW, SYSTEM, infer_body, linear_model, score_of_row

INFER, PREDICT = f"/v2/models/{SYSTEM}/infer", f"/v1/predict/{SYSTEM}"


def tensor(name="distance", datatype="FP64", data=(1000.0,), shape=None, **more):
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": list(data), **more}


def body_of(*tensors, **more):
    return {"inputs": list(tensors), **more}


WIND = tensor("wind", data=[10.0])


def test_an_answer_names_one_release_in_all_of_its_parts(answering):
    told = answering.infer(infer_body([ROW, ROW], keys=["t1", "t2"])).json()
    scores, ids = (output["data"] for output in told["outputs"])
    live = answering.worker.board.slots[SYSTEM].routes.live
    assert scores == [score_of_row(0.0)] * 2
    assert (told["model_name"], told["model_version"], told["parameters"]["release"]) == (
        SYSTEM,
        live.version,
        live.digest,
    )
    assert [made.split("/")[0] + made.rpartition("/")[2] for made in ids] == [SYSTEM + live.version] * 2
    assert len(set(ids)) == 2


def test_what_was_answered_is_what_the_log_was_given(answering):
    told = answering.infer(infer_body(keys=["t1"])).json()
    (batch,) = answering.log.kept
    (answer,) = batch.answers()
    assert [answer.id] == told["outputs"][1]["data"]
    assert (answer.entity, answer.score, answer.arm, dict(answer.vector)) == ("t1", score_of_row(0.0), LIVE, dict(ROW))


def test_an_entity_is_looked_up_and_its_missing_features_are_missing_as_in_training(answering):
    told = answering.predict({KEY: "t1"}, {KEY: "t2"}).json()
    assert [row["score"] for row in told["predictions"]] == [score_of_row(0.0), pytest.approx(0.35)]
    assert [row["entity"] for row in told["predictions"]] == ["t1", "t2"]
    assert told["release"] == answering.worker.board.slots[SYSTEM].routes.live.digest


BAD_VECTORS = {
    "a feature is missing": (422, "wind", body_of(tensor())),
    "a feature is misspelt": (422, "wind", body_of(tensor(), tensor("wynd"))),
    "one feature too many": (422, "colour", body_of(tensor(), WIND, tensor("colour", "BYTES", ["red"]))),
    "a text for a number": (422, "distance", body_of(tensor(datatype="BYTES", data=["far"]), WIND)),
    "a boolean for a number": (422, "distance", body_of(tensor(datatype="BOOL", data=[True]), WIND)),
    "a value of another datatype": (422, "distance", body_of(tensor(data=["1"]), WIND)),
    "an object for a value": (422, "distance", body_of(tensor(data=[{}]), WIND)),
    "null where it was never missing": (422, "distance", body_of(tensor(data=[None]), WIND)),
    "an input twice": (422, "distance", body_of(tensor(), tensor(), WIND)),
    "no rows": (422, "inputs[0].shape[0]", body_of(tensor(data=[], shape=[0]), WIND)),
    "too many rows": (422, "distance", body_of(tensor(data=[1.0] * 1001), WIND)),
    "fewer values than the shape says": (422, "distance", body_of(tensor(shape=[2]), WIND)),
    "rows of two lengths": (422, "wind", body_of(tensor(), tensor("wind", data=[1.0, 2.0]))),
    "a shape of two columns": (422, "distance", body_of(tensor(data=[1.0, 2.0], shape=[1, 2]), WIND)),
    "a shape of three dimensions": (422, "inputs[0].shape", body_of(tensor(shape=[1, 1, 1]), WIND)),
    "a negative shape": (422, "inputs[0].shape[0]", body_of(tensor(shape=[-1]), WIND)),
    "an unknown datatype": (422, "inputs[0].datatype", body_of(tensor(datatype="FP8"), WIND)),
    "no datatype": (422, "inputs[0]", body_of({"name": "distance", "shape": [1], "data": [1.0]}, WIND)),
    "an input without a name": (422, "inputs[0].name", body_of(tensor(name=""), WIND)),
    "an unknown field": (422, "", body_of(tensor(), WIND, more=1)),
    "an output that is not given": (422, "outputs[0].name", body_of(tensor(), WIND, outputs=[{"name": "margin"}])),
    "a parameter of another type": (422, "parameters.durable", body_of(tensor(), WIND, parameters={"durable": "yes"})),
    "no inputs": (422, "inputs", body_of()),
    "a list": (422, "", []),
    "null": (422, "", b"null"),
    "a whole number beyond all columns": (422, "distance", body_of(tensor(datatype="INT64", data=[2**63]), WIND)),
    "a number beyond floats": (422, "inputs[0].data[0]", b'{"inputs":[{"name":"x","data":[1e400]}]}'),
    "NaN": (400, "", b'{"inputs":[{"name":"distance","shape":[1],"datatype":"FP64","data":[NaN]}]}'),
    "Infinity": (400, "", b'{"inputs":[{"name":"distance","shape":[1],"datatype":"FP64","data":[-Infinity]}]}'),
    "nothing": (400, "", b""),
    "half a body": (400, "", infer_body()[:-9]),
    "no text": (400, "", b"\xff\xfe\x00"),
    "half a surrogate pair": (400, "", b'{"id":"\\ud800"}'),
    "nested a thousand times": (422, "distance", infer_body().replace(b"1000.0", b"[" * 900 + b"]" * 900)),
    "nested beyond any stack": (400, "", infer_body().replace(b"1000.0", b"[" * 20_000 + b"]" * 20_000)),
    "a huge body": (413, "", b" " * 100_001),
}


@pytest.mark.parametrize(("status", "field", "body"), BAD_VECTORS.values(), ids=BAD_VECTORS)
def test_a_vector_that_is_not_what_the_release_takes_is_refused_by_the_name_of_its_field(
    answering, status, field, body
):
    refused = answering.infer(body)
    told = refused.json()
    assert (refused.status_code, told.get("field", "")) == (status, field), told
    assert told["error"]
    assert answering.infer(infer_body()).status_code == 200
    assert len(answering.log.kept) == 1


BAD_KEYS = {
    "an unknown entity": (404, "trips", [{KEY: "nobody"}]),
    "features that have expired": (422, "trips", [{KEY: "t1"}, {KEY: "old"}]),
    "a row without its key": (422, KEY, [{}]),
    "a key that is misspelt": (422, KEY, [{"trip": "t1"}]),
    "a key by which nothing is looked up": (422, "colour", [{KEY: "t1", "colour": "red"}]),
    "a list for a key": (422, "rows[0][...]", [{KEY: ["t1"]}]),
    "no rows": (422, "rows", []),
    "too many rows": (422, "rows", [{KEY: "t1"}] * 1001),
    "a row that is no object": (422, "rows[0]", ["t1"]),
}


@pytest.mark.parametrize(("status", "field", "rows"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_keys_that_cannot_be_answered_are_refused_by_the_name_of_what_is_wrong(answering, status, field, rows):
    refused = answering.predict(*rows)
    told = refused.json()
    assert (refused.status_code, told.get("field", "")) == (status, field), told
    assert answering.predict({KEY: "t1"}).status_code == 200


@pytest.mark.parametrize("way", [{}, {"allow_missing": True}])
def test_a_stale_entity_is_scored_only_where_the_caller_says_so(answering, way):
    told = answering.predict({KEY: "old"}, **way)
    assert told.status_code == (200 if way else 422)
    if way:
        assert told.json()["predictions"][0]["missing"] == {"trips": "expired: known at 2012-01-01"}


REFUSED_BY_ITS_HEADERS = {
    "another type": (415, {"content_type": "text/plain"}),
    "no type": (415, {"content_type": ""}),
    "compressed": (415, {"content_encoding": "gzip"}),
    "the binary extension": (415, {"inference_header_content_length": "9"}),
    "another host": (400, {"host": "evil.example"}),
    "a host that begins like ours": (400, {"host": "127.0.0.1.evil.example"}),
    "a length beyond the most": (413, {"content_length": "999999999"}),
}


@pytest.mark.parametrize(("status", "headers"), REFUSED_BY_ITS_HEADERS.values(), ids=REFUSED_BY_ITS_HEADERS)
@pytest.mark.parametrize("path", [INFER, PREDICT])
def test_a_request_is_refused_by_its_headers_before_its_body_counts(answering, path, status, headers):
    body = gzip.compress(infer_body()) if "content_encoding" in headers else infer_body()
    assert answering.post(path, body, **headers).status_code == status
    assert answering.log.kept == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "[::1]:8080"])
def test_every_name_of_loopback_is_answered(answering, host):
    assert answering.post(INFER, infer_body(), host=host).status_code == 200


@pytest.mark.parametrize("path", [INFER, PREDICT])
def test_the_doors_take_post_alone(answering, path):
    refused = answering.get(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_an_unknown_system_is_told_with_the_nearest_one(answering):
    refused = answering.post("/v2/models/trip_dela/infer", infer_body())
    assert (refused.status_code, refused.json()["field"]) == (404, "system")
    assert f"Did you mean '{SYSTEM}'?" in refused.json()["action"]


@pytest.mark.parametrize("version", ["ffff", "a", "0" * 64])
def test_an_unknown_version_is_told_with_those_that_are_warm(answering, version):
    refused = answering.infer(infer_body(), version=version)
    assert (refused.status_code, refused.json()["field"]) == (404, "version")
    assert answering.worker.board.slots[SYSTEM].routes.live.version in refused.json()["expected"]


def test_a_warm_version_is_answered_by_its_first_digits_and_logged_as_pinned(answering):
    first = answering.worker.board.slots[SYSTEM].routes.live
    answering.home.make_live(answering.home.publish_linear(100.0))
    answering.look()
    told = answering.infer(infer_body(), version=first.version[:6]).json()
    assert told["outputs"][0]["data"] == [score_of_row(0.0)]
    assert [batch.arm for batch in answering.log.kept] == ["pinned"]


def test_a_key_of_a_megabyte_is_not_repeated_in_its_refusal(answering):
    refused = answering.predict({"k" * 90_000: 1})
    assert refused.status_code == 422
    assert len(refused.content) < 10_000


def test_before_anything_is_live_a_system_says_that_it_cannot_answer(served):
    served.home.publish_linear(0.0)
    served.look()
    refused = served.infer(infer_body())
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "nothing is live in 'production'" in refused.json()["error"]
    assert served.get("/v2/health/ready").status_code == 503


def test_where_the_log_fails_answers_go_on_and_say_that_they_are_not_logged(answering):
    answering.log.failing = "disk full"
    told = answering.infer(infer_body())
    assert (told.status_code, told.json()["parameters"]["logged"]) == (200, "no")
    health = answering.get("/health").json()
    assert (health["status"], health["log"]["failing"]) == ("degraded", "disk full")


def test_an_answer_that_has_to_be_durable_is_refused_where_it_cannot_be(answering):
    assert answering.infer(infer_body(durable=True)).json()["parameters"]["logged"] == "durable"
    answering.log.failing = "disk full"
    refused = answering.infer(infer_body(durable=True))
    assert refused.status_code == 503
    assert "disk full" in refused.json()["error"]


def test_where_the_log_is_behind_a_caller_is_asked_to_come_again(answering):
    answering.log.behind = True
    refused = answering.infer(infer_body())
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


def test_a_score_that_is_no_number_is_never_an_answer(served):
    served.home.make_live(served.home.publish(bytes_of_nothing(), flavour=LINEAR))
    served.look()
    refused = served.infer(infer_body())
    assert refused.status_code == 422
    assert "no number" in refused.json()["error"]
    assert served.log.kept == []


@pytest.mark.parametrize("broken", [RuntimeError("locked"), TimeoutError("slow"), OSError("gone")])
def test_an_online_store_that_cannot_be_read_shuts_its_own_door_only(answering, broken):
    answering.features.broken = broken
    assert answering.predict({KEY: "t1"}).status_code == 503
    assert answering.infer(infer_body()).status_code == 200
    answering.features.broken = None
    assert answering.predict({KEY: "t1"}).status_code == 200


def test_definitions_that_the_release_was_not_trained_on_are_not_used(answering):
    other = answering.features.services["trips"]
    answering.features.services = {"trips": type(other)("trips", (*other.tables, *other.tables))}
    answering.features.version += 1
    answering.look()
    refused = answering.predict({KEY: "t1"})
    assert refused.status_code == 503
    assert "other definitions" in refused.json()["error"]


def begin_canary(served, candidate, share=0.5):
    champion = served.worker.board.slots[SYSTEM].routes.live.digest
    canary = Canary(SYSTEM, PRODUCTION, candidate.digest, champion, share, "salt", "ada", "try", NEW_YEAR, NEW_YEAR)
    SQLiteCanaryStore(served.path / "control.db").begin(canary)
    served.look()
    return canary


def keys_of(canary, count=20):
    drawn = [f"key-{number}" for number in range(200)]
    taken = [key for key in drawn if takes(canary, key)]
    return taken[:count], [key for key in drawn if key not in taken][:count]


def test_a_canary_answers_its_share_of_the_keys_and_no_other(answering):
    canary = begin_canary(answering, answering.home.publish_linear(100.0))
    taken, others = keys_of(canary)
    for key in (*taken, *others):
        told = answering.infer(infer_body(keys=[key])).json()
        assert told["outputs"][0]["data"] == [score_of_row(100.0 if key in taken else 0.0)]
    assert {batch.arm for batch in answering.log.kept} == {LIVE, CANARY}


def test_a_request_without_a_key_or_with_a_null_one_draws_no_lot(answering):
    begin_canary(answering, answering.home.publish_linear(100.0), share=0.999)
    for body in (infer_body(), infer_body(keys=[None])):
        assert answering.infer(body).json()["outputs"][0]["data"] == [score_of_row(0.0)]


def test_where_a_candidate_fails_the_live_release_answers(answering):
    canary = begin_canary(answering, answering.home.publish(bytes_of_nothing(), flavour=LINEAR))
    for key in keys_of(canary)[0]:
        told = answering.infer(infer_body(keys=[key])).json()
        assert told["outputs"][0]["data"] == [score_of_row(0.0)]


def test_where_a_candidates_features_cannot_be_had_the_live_release_answers_by_its_own(answering):
    tables = answering.features.services["trips"]
    other = type(tables)("not_applied", tables.tables)
    content = flavour_named(LINEAR).dump(linear_model(100.0))
    canary = begin_canary(answering, answering.home.publish(content, flavour=LINEAR, service=other), share=0.999)
    assert takes(canary, "t1")
    told = answering.predict({KEY: "t1"})
    assert told.json()["predictions"][0]["score"] == score_of_row(0.0)


def test_a_bad_request_is_refused_also_where_a_candidate_would_have_answered(answering):
    canary = begin_canary(answering, answering.home.publish_linear(100.0))
    key = keys_of(canary)[0][0]
    refused = answering.infer(json.loads(infer_body([{"distance": None}], keys=[key])))
    assert (refused.status_code, refused.json()["field"]) == (422, "distance")


def bytes_of_nothing():
    """A model that gives no number for any row."""
    return flavour_named(LINEAR).dump(linear_model(0.5)).replace(b'"intercept":0.5', b'"intercept":NaN')
