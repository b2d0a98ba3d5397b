"""A receiver that is killed, or whose disk is full: what was answered with 200 is kept, and the rest is to be sent again."""

import subprocess
import sys
from http.client import HTTPConnection, HTTPException

import pytest

from ops_pipelines.adapters.otlp_wire import PROTOBUF, protobuf_of
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.otlp_export import export_spans
from ops_pipelines.testing.run_log import RUN, entry_of
from ops_pipelines.testing.servers import ask, free_port

RECEIVER = """
import resource, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.apps.trace_receiver import ReceiverSettings, TraceReceiver, serve_traces

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
log = SQLiteRunLog(Path(sys.argv[1]))
serve_traces(TraceReceiver(Writer(log.append), ReceiverSettings(port=int(sys.argv[2]))))
"""


@pytest.fixture
def receiver(tmp_path):
    """Starts a receiver of a log; its port and its process."""
    started = []

    def start(*limit):
        port = free_port()
        words = [sys.executable, "-c", RECEIVER, str(tmp_path / "log" / "runs.db"), str(port), *limit]
        started.append(subprocess.Popen(words))
        while ask(port, "/health")[0] != 200:
            assert started[-1].poll() is None
        return port, started[-1]

    yield start
    for child in started:
        child.kill()
        child.wait()


@pytest.fixture
def log(tmp_path):
    return SQLiteRunLog(tmp_path / "log" / "runs.db")


def send(port, number):
    """The status of a request with one span, 0 where nobody answered."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    body = protobuf_of(export_spans([entry_of(occurrence=number, outputs=f"{number} " * 500)]))
    try:
        connection.request("POST", "/v1/traces", body, {"content-type": PROTOBUF})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def kept(log):
    return {step.occurrence for step in log.steps(RUN)}


@pytest.mark.long
@pytest.mark.parametrize("after", [1, 15, 60])
def test_kill_minus_nine_loses_no_span_that_was_answered_with_200(receiver, log, after):
    port, child = receiver()
    answered = {number for number in range(after) if send(port, number) == 200}
    pipe = HTTPConnection("127.0.0.1", port, timeout=60)
    pipe.request(
        "POST", "/v1/traces", protobuf_of(export_spans([entry_of(occurrence=after)])), {"content-type": PROTOBUF}
    )
    child.kill()
    pipe.close()
    assert answered == set(range(after)) <= kept(log) <= set(range(after + 1))


@pytest.mark.long
def test_on_a_full_disk_what_was_kept_stays_and_the_rest_is_taken_once_there_is_room(receiver, log):
    port, child = receiver("300000")
    statuses = {number: send(port, number) for number in range(200)}
    answered = {number for number, status in statuses.items() if status == 200}
    assert (set(statuses.values()), len(answered) > 10) == ({200, 503}, True)
    assert answered == kept(log)
    child.kill()
    child.wait()
    port, _ = receiver()
    assert {send(port, number) for number in statuses} == {200}
    assert kept(log) == set(statuses)
