"""That the servers of the serving benchmark do the same job, and that its client and its judges see what they should."""

import asyncio
import json
import math
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from benchmarks.serving_data import infer_body
from benchmarks.serving_peers import BOOSTER, bare_words, handler_by_hand, mlflow_body, score_alone, vectors
from benchmarks.serving_swaps import Judge, Reply, lasted
from ops_pipelines.testing.load import load, p99, post, said
from ops_pipelines.testing.servers import ServerError, ask, free_port, running

ROWS = [{"wind": number / 10, "airport": ("JFK", "LGA", "EWR")[number % 3]} for number in range(60)]
GAPS = [*ROWS[:3], {"wind": None, "airport": "JFK"}, {"wind": 1.0, "airport": "HNL"}]


@pytest.fixture(scope="module")
def booster_file(tmp_path_factory):
    frame = pd.DataFrame(ROWS).astype({"airport": "category"})
    late = (frame.wind > 3).to_numpy() ^ (frame.airport == "LGA").to_numpy()
    settings = {"objective": "binary", "min_data_in_leaf": 2, "verbose": -1, "num_threads": 1}
    file = tmp_path_factory.mktemp("model") / "booster.txt"
    lgb.train(settings, lgb.Dataset(frame, late), num_boost_round=10).save_model(file)
    return file


class Counting(BaseHTTPRequestHandler):
    """Answers with the number that it is sent; refuses 13, and closes at 99."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"99":
            self.close_connection = True
            return
        self.send_response(400 if body == b"13" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None: ...


@pytest.fixture
def counting() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def numbered(*numbers: int) -> list[bytes]:
    return [post("/", str(number).encode()) for number in numbers]


def test_a_load_asks_as_often_as_it_should_and_counts_what_was_refused(counting):
    found = load(counting, numbered(12, 13), clients=3, total=20)
    assert (len(found.took), found.failed) == (20, 10)
    assert 0 < min(found.took) <= max(found.took) <= found.seconds


def test_answers_come_back_in_the_order_of_their_requests(counting):
    assert [answer.body for answer in said(counting, numbered(1, 2, 3))] == [b"1", b"2", b"3"]


def test_a_server_that_hangs_up_is_told_and_not_waited_for(counting):
    with pytest.raises(ServerError, match="closed a connection"):
        load(counting, numbered(1, 99), clients=1, total=2)


def test_one_value_in_a_hundred_lies_above_the_p99():
    assert 98 < p99(range(100)) < 99


def answered_by_hand(booster_file, rows):
    messages = []

    async def receive():
        return {"body": infer_body(rows), "more_body": False}

    async def send(message):
        messages.append(message)

    asyncio.run(handler_by_hand(booster_file)({"method": "POST"}, receive, send))
    return json.loads(messages[1]["body"])["outputs"][0]["data"]


def test_the_handler_by_hand_says_what_the_model_says_also_of_gaps_and_unknown_texts(booster_file):
    assert answered_by_hand(booster_file, GAPS) == score_alone(booster_file, GAPS)


def test_scores_of_vectors_are_those_of_the_rows_as_they_were_fitted(booster_file):
    frame = pd.DataFrame(ROWS).astype({"airport": "category"})
    assert np.allclose(score_alone(booster_file, ROWS), lgb.Booster(model_file=booster_file).predict(frame), atol=1e-15)


def test_mlflow_is_sent_names_codes_and_no_number_for_a_gap(booster_file):
    sent = json.loads(mlflow_body(lgb.Booster(model_file=booster_file), GAPS))["dataframe_split"]
    assert sent["columns"] == ["wind", "airport"]
    assert sent["data"][:2] == [[0.0, 1.0], [0.1, 2.0]]
    assert math.isnan(sent["data"][3][0])
    assert math.isnan(sent["data"][4][1])
    assert vectors(lgb.Booster(model_file=booster_file), GAPS[:1]) == [[0.0, 1.0]]


def test_a_server_runs_while_it_is_needed_and_its_cpu_is_counted(booster_file):
    port = free_port()
    with running(bare_words(port), port, "/", **{BOOSTER: str(booster_file)}) as server:
        assert ask(port, "/")[0] == 200
        assert server.cpu_seconds() > 0
    assert ask(port, "/") == (0, b"")


def test_a_server_that_dies_at_its_start_is_an_error_with_its_last_words():
    words = [sys.executable, "-c", "raise SystemExit('no model here')"]
    with pytest.raises(ServerError, match=r"did not start(.|\n)*no model here"), running(words, free_port(), "/"):
        pass


OLD, NEW = "0" * 64, "f" * 64
JUDGE = Judge({OLD: [0.1, 0.2, 0.3, 0.4], NEW: [0.6, 0.7, 0.8, 0.9]})


def answer(release, stamped, scores, *, first=1):
    ids = [f"trips/online/{number}/{digest[:12]}" for number, digest in enumerate(stamped)]
    return {"id": str(first), "parameters": {"release": release}, "outputs": [{"data": scores}, {"data": ids}]}


@pytest.mark.parametrize(
    ("body", "release"),
    [
        (answer(OLD, [OLD] * 3, [0.2, 0.3, 0.4]), OLD),
        (answer(NEW, [NEW] * 3, [0.6, 0.7, 0.8], first=0), NEW),
        (answer(NEW, [NEW, OLD, NEW], [0.7, 0.8, 0.9]), None),
        (answer(NEW, [NEW] * 3, [0.7, 0.3, 0.9]), None),
        (answer(NEW, [NEW] * 3, [0.2, 0.3, 0.4]), None),
        (answer(OLD, [OLD] * 2, [0.2, 0.3]), None),
    ],
    ids=["old", "new", "an id of the other", "a score of the other", "all scores of the other", "a row is missing"],
)
def test_an_answer_is_of_one_release_only_where_every_part_of_it_is(body, release):
    assert JUDGE.release_of(body) == release


REPLIES = [Reply(10.0, OLD), Reply(10.1, NEW), Reply(10.3, OLD), Reply(10.5, NEW), Reply(12.0, OLD)]


def test_a_move_lasts_until_the_old_releases_last_answer_before_the_next_move():
    assert lasted(REPLIES, 9.9, 11.0, NEW) == pytest.approx(0.4)
    assert lasted(REPLIES, 10.4, 11.0, NEW) == 0.0


def test_a_move_after_which_the_new_release_never_answers_lasts_for_ever():
    assert lasted(REPLIES, 11.0, 13.0, NEW) == math.inf
