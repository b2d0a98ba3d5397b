"""Requests under way while the pointer moves: each ends on the release that it began with, in all of its parts."""

import asyncio
import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.pointer_watch import PointerWatch
from ops_pipelines.adapters.sqlite_canaries import SQLiteCanaryStore
from ops_pipelines.adapters.sqlite_principals import SQLitePrincipalStore
from ops_pipelines.apps.model_server.callers import Callers
from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.core.composite import compose
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.principal import CALLER, Grant
from ops_pipelines.mlops.canary import Canary, takes
from ops_pipelines.mlops.prediction_log import CANARY, LIVE, PINNED
from ops_pipelines.testing.principal_store import principal_of
from ops_pipelines.testing.release_store import NEW_YEAR, evidence_against, move_after
from ops_pipelines.testing.served import KEY, LINEAR, ROW, SYSTEM, infer_body, linear_model, score_of_row

CONSTANTS = (0.0, 100.0, 200.0)
ASKED = st.sampled_from(["infer", "predict"])
STEPS = st.lists(ASKED | st.integers(0, len(CONSTANTS) - 1), min_size=2, max_size=12)


def parts_of(door, body):
    """The scores of an answer, and every release that it names by its first digits."""
    told = json.loads(body)
    if door == "predict":
        rows = told["predictions"]
        named = {told["release"][:12], *(row["id"].rpartition("/")[2] for row in rows)}
        return [row["score"] for row in rows], named
    scores, ids = (output["data"] for output in told["outputs"])
    version, digest = told["model_version"], told["parameters"]["release"]
    return scores, {version, digest[:12], *(made.rpartition("/")[2] for made in ids)}


async def ask_while_moving(served, releases, steps):
    """The answers to all requests of some steps; a number among them moves the pointer, between two breaths of a request."""
    doors, asked = served.worker.doors, []
    for step in steps:
        if step == "infer":
            asked.append((step, asyncio.create_task(doors.infer(SYSTEM, infer_body([ROW, ROW])))))
        elif step == "predict":
            body = json.dumps({"rows": [{KEY: "t1"}, {KEY: "t1"}]}).encode()
            asked.append((step, asyncio.create_task(doors.predict(SYSTEM, body))))
        else:
            served.home.make_live(releases[step])
            served.look()
        await asyncio.sleep(0)
    return [(door, await task) for door, task in asked]


def test_however_moves_and_requests_interleave_every_answer_is_of_one_release(answering):
    releases = [answering.home.publish_linear(constant) for constant in CONSTANTS]
    said = {release.digest[:12]: score_of_row(constant) for release, constant in zip(releases, CONSTANTS, strict=True)}

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(STEPS)
    def check(steps):
        for door, body in asyncio.run(ask_while_moving(answering, releases, steps)):
            scores, named = parts_of(door, body)
            (release,) = named
            assert set(scores) == {said[release]}

    check()
    assert all(len({one.id.rpartition("/")[2] for one in batch.answers()}) == 1 for batch in answering.log.kept)


def test_a_request_of_more_rows_than_may_ever_wait_for_the_log_is_made_durable(answering):
    answering.log.most_pending = 2
    told = [answering.infer(infer_body([ROW] * rows)).json()["parameters"]["logged"] for rows in (2, 3)]
    assert told == ["queued", "durable"]


def begin_canary(served, candidate):
    champion = served.worker.board.slots[SYSTEM].routes.live.digest
    canary = Canary(SYSTEM, PRODUCTION, candidate.digest, champion, 0.999, "salt", "ada", "try", NEW_YEAR, NEW_YEAR)
    SQLiteCanaryStore(served.path / "control.db").begin(canary)
    served.look()
    return next(key for key in map(str, range(100)) if takes(canary, key))


def test_a_candidate_that_fails_is_counted_and_kept_beside_the_answer_that_was_given(answering):
    no_number = flavour_named(LINEAR).dump(linear_model(0.5)).replace(b'"intercept":0.5', b'"intercept":NaN')
    candidate = answering.home.publish(no_number, flavour=LINEAR)
    key = begin_canary(answering, candidate)
    assert answering.infer(infer_body(keys=[key])).json()["outputs"][0]["data"] == [score_of_row(0.0)]
    counted = answering.worker.metrics.canary_failures.labels(SYSTEM, candidate.digest[:12]).collect()[0].samples
    assert counted[0].value == 1
    kept = [answer for batch in answering.log.kept for answer in batch.answers()]
    assert [(answer.arm, math.isnan(answer.score)) for answer in kept] == [(CANARY, True), (LIVE, False)]


def test_when_the_champion_is_replaced_its_canary_takes_no_more_requests(answering):
    key = begin_canary(answering, answering.home.publish_linear(100.0))
    assert answering.infer(infer_body(keys=[key])).json()["outputs"][0]["data"] == [score_of_row(100.0)]
    answering.home.make_live(answering.home.publish_linear(200.0))
    answering.look()
    assert answering.infer(infer_body(keys=[key])).json()["outputs"][0]["data"] == [score_of_row(200.0)]


def compose_desk(served, uses):
    """A composite that is live and uses a release of the system."""
    releases = served.home.releases
    desk = compose("desk", {"prompt": "b" * 64}, uses={SYSTEM: uses.digest})
    releases.save(desk, evidence_against(None))
    releases.append(move_after(None, desk.digest, system="desk"))
    served.look()


def test_what_a_live_composite_uses_is_answered_by_its_version_after_the_pointer_has_moved_on(answering):
    used = answering.home.publish_linear(50.0)
    compose_desk(answering, used)
    for constant in CONSTANTS:
        answering.home.make_live(answering.home.publish_linear(constant))
        answering.look()
    told = answering.infer(infer_body(), version=used.digest).json()
    assert told["outputs"][0]["data"] == [score_of_row(50.0)]
    assert [batch.arm for batch in answering.log.kept] == [PINNED]


def test_a_pointer_that_cannot_be_read_keeps_no_revoked_token_in_force(answering):
    file = answering.path / "control.db"
    principals = SQLitePrincipalStore(file)
    callers = Callers(principals, PointerWatch(file).has_changed, lambda: NEW_YEAR, environment=PRODUCTION)
    asks = {"headers": [(b"authorization", b"Bearer bob")]}
    principals.register(principal_of("ada"))
    bob = principal_of("bob", Grant(CALLER, SYSTEM, PRODUCTION), sequence=2)
    principals.register(bob)
    callers.follow()
    callers.check(asks, SYSTEM)
    answering.home.releases.save(compose("desk", {"prompt": "b" * 64}, uses={}), evidence_against(None))
    answering.home.releases.append(move_after(None, "ef" * 32, system="desk"))
    principals.register(replace(bob, sequence=3, revoked=True))
    assert not answering.worker.board.look()
    callers.follow()
    with pytest.raises(Refused, match="revoked"):
        callers.check(asks, SYSTEM)
