"""What is counted, over processes: each test has a folder of numbers, and workers that count in it."""

import os
import subprocess
import sys

import pytest

from ops_pipelines.apps.model_server.metrics import FOLDER

MADE = (
    "from ops_pipelines.apps.model_server.metrics import exposition, forget_worker, make_metrics; m = make_metrics(); "
)


@pytest.fixture
def worker(tmp_path):
    """Runs a worker process that counts; what it has to say."""

    def run(code):
        told = {**os.environ, FOLDER: str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", MADE + code], env=told, capture_output=True, text=True, check=True)
        return done.stdout

    return run


@pytest.fixture
def scrape(worker):
    """The samples that a scrape finds, whichever worker answers it."""

    def read():
        lines = worker("print(exposition().decode())").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))

    return read


def test_a_scrape_that_one_worker_answers_tells_of_all(worker, scrape):
    for rows in (3, 4):
        worker(f"m.answered('s', 'abc', 'live', {rows}); m.request('s', 'infer', 200, 0.002)")
    samples = scrape()
    assert samples['ops_predictions_total{arm="live",release="abc",system="s"}'] == "7.0"
    assert samples['ops_requests_total{door="infer",status="200",system="s"}'] == "2.0"
    assert samples['ops_request_seconds_bucket{door="infer",le="0.0025",system="s"}'] == "2.0"
    assert samples['ops_request_seconds_bucket{door="infer",le="0.001",system="s"}'] == "0.0"


def test_statuses_are_counted_apart(worker, scrape):
    worker("[m.request('s', 'infer', status, 0.1) for status in (200, 422, 422, 503)]")
    found = {name: value for name, value in scrape().items() if name.startswith("ops_requests_total")}
    assert sorted(found.values()) == ["1.0", "1.0", "2.0"]


def test_a_worker_that_has_ended_counts_on_and_is_live_no_more(worker, scrape):
    worker("m.live.labels('s', 'abc').set(1); m.swaps.labels('s').inc(); forget_worker()")
    worker("m.live.labels('s', 'abc').set(1)")
    samples = scrape()
    assert samples['ops_live_release{release="abc",system="s"}'] == "1.0"
    assert samples['ops_swaps_total{system="s"}'] == "1.0"


def test_a_worker_that_was_killed_while_it_made_its_file_hides_no_others(worker, scrape, tmp_path):
    (tmp_path / "histogram_1.db").touch()
    worker("m.swaps.labels('s').inc()")
    assert scrape()['ops_swaps_total{system="s"}'] == "1.0"


def test_one_worker_that_cannot_see_the_store_is_seen(worker, scrape):
    for up in (1, 0, 1):
        worker(f"m.store_up.set({up})")
    assert scrape()["ops_release_store_up"] == "0.0"


def test_what_libraries_count_beside_us_is_left_out(worker, scrape):
    worker(
        "from prometheus_client import Counter; Counter('feast_lookups', 'not ours').inc(); m.swaps.labels('s').inc()"
    )
    assert {name.partition("_")[0] for name in scrape()} == {"ops"}
