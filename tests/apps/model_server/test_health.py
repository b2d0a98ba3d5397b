"""What a worker says of itself: whether it lives, whether it can answer, and what is wrong where it answers all the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ops_pipelines.adapters.served_release import ServedRelease
from ops_pipelines.apps.log_writer import LogWriter
from ops_pipelines.apps.model_server.board import Board, Failure, Routes, Slot
from ops_pipelines.apps.model_server.health import Health
from ops_pipelines.apps.model_server.metrics import make_metrics
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.serving import signature_of
from ops_pipelines.testing.prediction_log import MemoryPredictionLog
from ops_pipelines.testing.release_store import InMemoryReleaseStore

SYSTEM = "flight_delay"
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def release(digest):
    signature = signature_of(["x"], {"x": "timestamp"}, {})
    return ServedRelease(SYSTEM, digest, signature, lambda columns: [0.5], FeatureService("none", ()), "flight")


class Stationary:
    """A worker's health over a board that stays as a test puts it."""

    def __init__(self, loader):
        self.board = Board(InMemoryReleaseStore(), None, loader, environment=PRODUCTION, tell=lambda event, facts: None)
        self.metrics = make_metrics()
        self.log = LogWriter(MemoryPredictionLog(), most_pending=10)
        self.health = Health(self.board, None, self.log, self.metrics)

    def put(self, live, *warm):
        """The slot of the system, answering by a release, with others warm beside it."""
        slot = self.board.slots.setdefault(SYSTEM, Slot(SYSTEM))
        slot.warm = {digest: release(digest) for digest in (live, *warm)}
        slot.routes = Routes(slot.warm[live])
        self.health.update()
        return slot

    def workers_by_release(self):
        (gauge,) = self.metrics.live.collect()
        return {sample.labels["release"]: sample.value for sample in gauge.samples if sample.value}


@pytest.fixture
def worker():
    with ThreadPoolExecutor(1) as loader:
        yield Stationary(loader)


def test_a_process_that_serves_nothing_lives_and_is_not_ready(worker):
    assert (worker.health.live()[0], worker.health.ready()[0]) == (200, 503)


def test_a_worker_is_ready_when_every_system_answers(worker):
    worker.put(A)
    assert worker.health.ready() == (200, {"ready": True})
    worker.board.slots["desk"] = Slot("desk")
    status, told = worker.health.ready()
    assert (status, told["ready"]) == (503, False)


def test_a_system_tells_what_it_takes_and_every_version_that_it_could_be_asked_by(worker):
    worker.put(A, B)
    _, told = worker.health.model(SYSTEM)
    assert told["inputs"] == [{"name": "x", "datatype": "BYTES", "shape": [-1]}]
    assert (told["versions"], told["parameters"]) == ([A[:12], B[:12]], {"release": A, "entity": "flight"})
    assert worker.health.model(SYSTEM, B[:6])[1]["parameters"]["release"] == B


def test_a_version_that_is_not_warm_is_not_ready(worker):
    worker.put(A)
    assert [worker.health.model_ready(SYSTEM, version)[0] for version in (None, A[:4], B[:4])] == [200, 200, 404]


def test_where_all_is_well_no_problem_is_told(worker):
    worker.put(A)
    _, told = worker.health.details()
    assert (told["status"], told["problems"], told["release_store"], told["features"]) == ("ok", [], "ok", "off")


def test_whatever_is_wrong_is_told_by_its_words_and_the_worker_still_answers_200(worker):
    slot = worker.put(A)
    slot.failures[B] = Failure("its bytes were changed", 0.0, 0.0)
    worker.board.store_problem = "control.db is gone"
    status, told = worker.health.details()
    assert (status, told["status"], told["release_store"]) == (200, "degraded", "control.db is gone")
    assert told["problems"][1] == f"{SYSTEM}: release {B[:12]} is not loaded: its bytes were changed"


def test_a_worker_counts_to_the_release_that_answers_and_to_no_other(worker):
    worker.put(A, B)
    assert worker.workers_by_release() == {A[:12]: 1}
    worker.put(B, A)
    assert worker.workers_by_release() == {B[:12]: 1}


def test_a_release_that_was_live_and_let_go_in_one_look_is_no_longer_counted(worker):
    worker.put(A)
    worker.put(C, B)
    assert worker.workers_by_release() == {C[:12]: 1}
