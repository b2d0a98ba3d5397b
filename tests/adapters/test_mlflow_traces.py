"""That copies of runs get to their destination whole, whatever happens to it meanwhile."""

import json
import socket
import sys
import threading
from contextlib import closing

import pytest

from ops_pipelines.adapters.mlflow_traces import export_new, following, send_again, waiting
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.adapters.trace_cursor import TraceCursor
from ops_pipelines.adapters.trace_destinations import MLflowHome, MLflowServer, OtlpEndpoint, Unsent
from ops_pipelines.agentops.otlp import import_spans
from ops_pipelines.agentops.run_log import Tally
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.agent_program import Investigation, Outside, record
from ops_pipelines.testing.run_log import RUN, MemoryRunLog, entry_of
from ops_pipelines.testing.servers import free_port, running
from ops_pipelines.testing.trace_destination import DestinationConformance, MemoryDestination

OTHER, THIRD = "b" * 32, "c" * 32


@pytest.fixture
def log():
    return MemoryRunLog()


@pytest.fixture
def cursor(tmp_path):
    return TraceCursor(tmp_path / "log" / "exported.json")


@pytest.fixture
def to():
    return MemoryDestination()


def agent(scope):
    Investigation(Outside(), 3)(scope)
    reader = scope.inside("reader", {"read": "runbooks"})
    reader.model("desk-1", {"messages": []}, lambda _: "found")
    scope.decide("propose", {"action": "rollback"})


class TestMemoryDestination(DestinationConformance):
    @pytest.fixture
    def destination(self, to):
        return to

    @pytest.fixture
    def shown(self, to):
        return to.shown


@pytest.mark.long
class TestMLflowHome(DestinationConformance):
    @pytest.fixture
    def destination(self, registry):
        return MLflowHome(registry)

    @pytest.fixture
    def shown(self, registry):
        def names(run):
            with registry.client("look at a trace") as client:
                return sorted(span.name for span in client.get_trace(f"tr-{run}").data.spans)

        return names


RECEIVER = """
import sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.apps.trace_receiver import ReceiverSettings, TraceReceiver, serve_traces

log = SQLiteRunLog(Path(sys.argv[1]))
serve_traces(TraceReceiver(Writer(log.append), ReceiverSettings(port=int(sys.argv[2]))))
"""


@pytest.mark.long
class TestOtlpEndpointBeforeOurReceiver(DestinationConformance):
    @pytest.fixture
    def file(self, tmp_path):
        return tmp_path / "log" / "runs.db"

    @pytest.fixture
    def destination(self, file):
        port = free_port()
        receiver = running([sys.executable, "-c", RECEIVER, str(file), str(port)], port, "/health")
        with receiver, closing(OtlpEndpoint(f"http://127.0.0.1:{port}/v1/traces")) as made:
            yield made

    @pytest.fixture
    def shown(self, file):
        words = {"tool": "execute_tool", "agent": "invoke_agent"}
        return lambda run: sorted(f"{words[step.kind]} {step.name}" for step in SQLiteRunLog(file).steps(run))


def test_every_step_of_the_log_is_sent_once_and_nothing_after_that(log, cursor, to):
    record(agent, log.append)
    sent = export_new(log, cursor, to)
    assert (sent.runs, sent.steps, sent.is_all, sent.problem) == (1, len(log.steps(RUN)), True, "")
    assert set(to.spans) == {step.id for step in log.steps(RUN)}
    assert (export_new(log, cursor, to).steps, to.requests, waiting(log, cursor)) == (0, 1, 0)


def test_what_is_shown_comes_in_again_equal(log, cursor, to):
    record(agent, log.append)
    export_new(log, cursor, to)
    request = {"resourceSpans": [{"scopeSpans": [{"spans": list(to.spans.values())}]}]}
    found = import_spans(json.loads(json.dumps(request)), Writer(lambda entries: Tally(len(entries))))
    assert {entry.step for entry in found.entries} == set(log.steps(RUN))


def test_an_agent_is_drawn_over_all_that_it_did_with_what_came_out_last(log, cursor, to):
    record(agent, log.append)
    export_new(log, cursor, to)
    steps = {step.name: step for step in log.steps(RUN) if step.kind != "memory_read"}
    root, reader = to.spans[steps["oncall"].id], to.spans[steps["reader"].id]
    assert int(root["endTimeUnixNano"]) // 1000 == round(steps["propose"].ended.timestamp() * 1e6)
    assert int(reader["endTimeUnixNano"]) // 1000 == round(steps["desk-1"].ended.timestamp() * 1e6)
    told = {one["key"]: one["value"] for one in reader["attributes"]}
    assert (told["mlflow.spanType"], told["mlflow.spanOutputs"]) == ({"stringValue": "AGENT"}, {"stringValue": "found"})


def test_an_agent_grows_with_steps_that_come_later(log, cursor, to):
    root = entry_of("oncall", kind="agent")
    log.append([root])
    export_new(log, cursor, to)
    log.append([entry_of("late", parent=root.step.id, started=root.step.ended, ended=root.step.ended)])
    log.append([entry_of("later", parent=root.step.id, ended=root.step.ended.replace(hour=5))])
    sent = export_new(log, cursor, to)
    latest = max(int(span["endTimeUnixNano"]) for span in to.spans.values())
    assert (sent.steps, int(to.spans[root.step.id]["endTimeUnixNano"])) == (2, latest)


def test_while_nobody_answers_nothing_moves_and_then_all_of_it_is_sent(log, cursor, to):
    record(agent, log.append)
    to.away = True
    for _ in range(3):
        sent = export_new(log, cursor, to)
        assert (sent.steps, "nobody answers" in sent.problem, waiting(log, cursor) > 0) == (0, True, True)
    log.append([entry_of("meanwhile", run=OTHER)])
    to.away = False
    assert [one.problem for one in following(log, cursor, to)] == [""]
    assert set(to.spans) >= {step.id for run in (RUN, OTHER) for step in log.steps(run)}


def test_a_run_that_is_refused_holds_up_no_other_and_is_named_and_may_be_sent_again(log, cursor):
    to = MemoryDestination(refuses=(OTHER,))
    log.append([entry_of("a"), entry_of("b", run=OTHER), entry_of("c", run=THIRD)])
    sent = export_new(log, cursor, to)
    assert (sent.runs, sent.steps, list(sent.refused)) == (2, 2, [OTHER])
    assert (to.shown(RUN), to.shown(THIRD)) == (["execute_tool a"], ["execute_tool c"])
    assert send_again(log, cursor, to) == 0
    to.refuses = ()
    assert (send_again(log, cursor, to), send_again(log, cursor, to), len(to.spans)) == (1, 0, 3)


def test_no_more_runs_and_steps_are_sent_at_once_than_may_be(log, cursor, to):
    log.append([entry_of(f"s{number}", run=f"{number % 5 + 1:032x}", occurrence=number) for number in range(20)])
    assert export_new(log, cursor, to, most_runs=2).steps == 2
    sent = export_new(log, cursor, to, most_runs=100, most_steps=3)
    assert (sent.steps, sent.is_all) == (3, False)
    list(following(log, cursor, to))
    assert len(to.spans) == 20


def test_killed_between_sending_and_moving_the_cursor_the_same_is_sent_and_shown_once(log, cursor, to, tmp_path):
    record(agent, log.append)
    export_new(log, TraceCursor(tmp_path / "lost" / "x.json"), to)
    export_new(log, cursor, to)
    assert (to.requests, len(to.spans)) == (2, len(log.steps(RUN)))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_log_that_was_replaced_is_followed_from_its_beginning(log, cursor, to, steps):
    log.append([entry_of("old"), entry_of("older", occurrence=1)])
    export_new(log, cursor, to)
    another = MemoryRunLog()
    another.append([entry_of("x", run=OTHER, occurrence=number) for number in range(steps)])
    assert export_new(another, cursor, to).steps == steps


def test_a_forgotten_step_under_the_cursor_sends_nothing_again(log, cursor, to):
    log.append([entry_of("old")])
    export_new(log, cursor, to)
    log.append([entry_of("new", run=OTHER)])
    log.forget([RUN])
    assert export_new(log, cursor, to).steps == 1


def test_a_cursor_that_is_none_says_what_to_do(log, cursor, to):
    cursor.path.parent.mkdir()
    cursor.path.write_text("{")
    with pytest.raises(DataError, match="Delete it"):
        export_new(log, cursor, to)


def test_an_endpoint_where_nobody_listens_is_away_and_refuses_nothing():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        for destination in (OtlpEndpoint(f"{url}/v1/traces"), MLflowServer(url)):
            with pytest.raises(Unsent) as caught:
                destination.send({"resourceSpans": []})
            assert not caught.value.refused


@pytest.mark.parametrize(("status", "refused"), [(400, True), (422, True), (404, False), (401, False), (503, False)])
def test_only_what_is_wrong_with_the_spans_themselves_refuses_them(status, refused):
    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = threading.Thread(target=_answer, args=(server, status))
        answers.start()
        with pytest.raises(Unsent) as caught:
            OtlpEndpoint(f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces").send({"resourceSpans": []})
        answers.join()
    assert caught.value.refused is refused


def _answer(server, status):
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as asked:
        head = iter(asked.readline, b"\r\n")
        (length,) = [int(line.split()[1]) for line in head if line.lower().startswith(b"content-length:")]
        asked.read(length)  # one that answers half a request resets the connection, and may not be heard
        connection.sendall(f"HTTP/1.1 {status} no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
