"""The run log and its replay: durable events a second, runs listed and found among 10,000, and a step of a replay.

The peer is MLflow's own trace store on SQLite, in a process of its own: spans come to its OTLP endpoint as protobuf, called
without a socket, which is kind to it. Both hold the same traces, and what both find is compared before it counts. Most of
MLflow's are loaded by its store directly, a hundred at once. Its search by the name of a span takes time that grows with the
square of the traces, until somebody has SQLite analyse the database, which MLflow does not: here it is done for it.
"""

import asyncio
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.processes import measured, timed
from benchmarks.rows import Row, at_most, void

if TYPE_CHECKING:
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
    from ops_pipelines.agentops.run_log import Entry

TRACES, QUICK_TRACES, SENT = 10_000, 300, 200
"""How many traces are asked among, and how many of them are sent to MLflow's endpoint for its rate."""
SPANS, RARE_EVERY, ASKED, ROUNDS, AT_ONCE = 10, 100, 100, 9, 100
PATIENCE_SECONDS = 5
TEXT = "the drift report of flight_delay in the week of 25 June " * 4
_RARE = "span.name = 'rare'"
AT_LEAST, TIMES, LIST_MS, ONE_MS, REPLAY_MS = 2_000, 10, 200, 50, 1


def measure() -> Iterator[Row]:
    """What the log takes in, what it answers, and what a replay takes."""
    yield from _measured(TRACES)


def measure_quick() -> Iterator[Row]:
    """The same among fewer traces."""
    yield from _measured(QUICK_TRACES)


def _measured(traces: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        ours = _ours(Path(folder), traces)
    many = "fully synced: a power cut takes back nothing"
    yield _at_least("agentops, durable events with one commit a trace, events/s", ours["by_trace"], AT_LEAST, note=many)
    bare, step = ours["bare"], ours["by_step"]
    one = "the peer is a bare fully synced commit of the same text in SQLite: what the disk allows"
    yield Row(
        "agentops, durable events with one commit a step, events/s", step, bare, step / bare, "reported", True, one
    )
    yield from _against_mlflow(ours, traces)
    yield from _replays()


def _against_mlflow(ours: dict[str, Any], traces: int) -> Iterator[Row]:
    sent = min(SENT, traces)
    peer = measured("benchmarks.agentops_log:mlflow_traces", traces, sent).answer
    yield from _ingests(peer["rates"])
    limits = {"list": LIST_MS, "filter": LIST_MS, "one": ONE_MS}
    words = {"list": f"the newest {ASKED}", "filter": f"those with one tool in {RARE_EVERY}", "one": "one whole trace"}
    for query, limit in limits.items():
        claim = f"agentops, {words[query]} of {traces:,} traces, ms"
        (mine, found), (theirs, found_there) = ours[query], peer[query]
        if found != found_there:
            yield void(claim, f"ours <= {limit}", f"ours found {found}, MLflow {found_there}")
        else:
            said = f"both find {found}"
            if query == "filter":
                said += f"; MLflow's database analysed for it, before that {peer['unhelped']:.0f} ms among {sent}"
            yield Row(claim, mine, theirs, mine / theirs, f"ours <= {limit}", mine <= limit, said)


def _ingests(rates: dict[str, float]) -> Iterator[Row]:
    log, ours, theirs = rates["log"], rates["ours"], rates["mlflow"]
    claim = f"agentops, ingest of traces of {SPANS} spans, spans/s"
    note = "an agent's own log, a synced commit a trace; the peer is MLflow's OTLP endpoint on SQLite, without a socket"
    yield Row(claim, log, theirs, log / theirs, f"ours >= {TIMES} x peer", log >= TIMES * theirs, note)
    claim = f"agentops, traces of {SPANS} spans over OTLP, one a request, spans/s"
    note = "our endpoint, redacted with detect-secrets; the peer is MLflow's, which takes nothing out; neither has a socket"
    yield Row(claim, ours, theirs, ours / theirs, "reported", True, note)


def _replays() -> Iterator[Row]:
    """A run of a thousand steps, recorded through the redactor to the disk and replayed from it."""
    from ops_pipelines.adapters.nothing_live import nothing_live
    from ops_pipelines.adapters.secret_scan import find_secrets
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
    from ops_pipelines.agentops.redaction import Redactor
    from ops_pipelines.agentops.replay import replay
    from ops_pipelines.agentops.run_log import recording_of
    from ops_pipelines.agentops.step_writer import Writer
    from ops_pipelines.testing.agent_program import Investigation, Outside, record
    from ops_pipelines.testing.run_log import RUN

    with tempfile.TemporaryDirectory() as folder:
        log = SQLiteRunLog(Path(folder) / "runs.db")
        writer, program = Writer(log.append, Redactor(find_secrets)), Investigation(Outside(), 125, at_once=4)
        recording_s = timed(lambda: record(program, log.append, writer=writer))
        recording = recording_of(log, RUN)
        with nothing_live():
            found = [replay(recording, program, writer=writer)]
            replaying_s = median(timed(lambda: replay(recording, program, writer=writer)) for _ in range(3))
    steps = len(recording.steps)
    claim, note = "agentops, replay, ms a step", f"{steps:,} steps, 4 tools at once, redacted, sockets denied"
    if not found[0].identical:
        yield void(claim, f"ours <= {REPLAY_MS}", "the replay has another digest")
        return
    yield at_most(claim, 1000 * replaying_s / steps, REPLAY_MS, note=note)
    written = "redacted with detect-secrets, a commit a step"
    yield Row("agentops, recording, ms a step", 1000 * recording_s / steps, None, None, "reported", True, written)


def _ours(folder: Path, traces: int) -> dict[str, Any]:
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
    from ops_pipelines.agentops.run_log import TOOL, RunFilter
    from ops_pipelines.testing.run_log import WEEK

    entries = [_trace(number) for number in range(traces)]
    steps = [entry for trace in entries[:ASKED] for entry in trace]
    log, aside = SQLiteRunLog(folder / "runs.db"), SQLiteRunLog(folder / "aside.db")
    aside.append(_trace(-1))
    commit = _bare(folder)
    both = [(timed(lambda entry=entry: aside.append([entry])), timed(commit)) for entry in steps]
    by_trace = [timed(lambda trace=trace: log.append(trace)) for trace in entries]
    rare, middle = RunFilter(kind=TOOL, name="rare"), entries[traces // 2][0].step.run
    return {
        "by_step": 1 / median(ours for ours, _ in both),
        "bare": 1 / median(bare for _, bare in both),
        "by_trace": SPANS / median(by_trace),
        "list": _asked(lambda: len(log.runs(WEEK, limit=ASKED))),
        "filter": _asked(lambda: len(log.runs(WEEK, rare, limit=ASKED))),
        "one": _asked(lambda: _whole(log, middle)),
    }


def _bare(folder: Path) -> Callable[[], Any]:
    """Commits one text to a table without an index."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE texts (text TEXT)")
    return lambda: connection.execute("INSERT INTO texts VALUES (?)", (TEXT,))


def _whole(log: "SQLiteRunLog", run: str) -> int:
    """How many steps a run has, its payloads read."""
    from ops_pipelines.agentops.run_log import recording_of

    return len(recording_of(log, run).steps)


def _trace(number: int) -> "list[Entry]":
    """A root and nine tool calls, each with a text of its own; each hundredth trace has a tool that is rare."""
    from ops_pipelines.agentops.run_log import AGENT, step_id
    from ops_pipelines.testing.run_log import MONDAY, entry_of

    run, root, began = uuid.uuid4().hex, step_id("", AGENT, "oncall", 0), MONDAY + timedelta(milliseconds=number + 1)
    made = partial(entry_of, run=run, started=began, ended=began)
    first = made("oncall", kind=AGENT, inputs=f"{TEXT}{number}")
    calls = [made(name, parent=root, inputs=f"{TEXT}{number} {name}") for name in _names(number)]
    return [first, *calls]


def _names(number: int) -> list[str]:
    names = [f"tool-{at}" for at in range(1, SPANS)]
    return [*names[:-1], "rare"] if number % RARE_EVERY == 0 else names


def mlflow_traces(traces: int, sent: int) -> dict[str, Any]:
    """The same in MLflow: `sent` traces by its endpoint, the others into its store directly and many at once."""
    from mlflow.entities.span import Span
    from mlflow.server.handlers import initialize_backend_stores
    from mlflow.tracking._tracking_service.utils import _get_store

    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/mlflow.db"
        initialize_backend_stores(address, default_artifact_root=f"{folder}/artefacts")
        store = _get_store(address)
        experiment = store.create_experiment("bench")
        rates = _ingest(Path(folder), experiment, sent)
        of_sent = partial(store.search_traces, locations=[experiment], max_results=ASKED, filter_string=_RARE)
        unhelped = 1000 * timed(of_sent)
        for first in range(sent, traces, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, traces))
            store.log_spans(experiment, [Span.from_otel_proto(span) for number in numbers for span in _spans(number)])
        search = partial(store.search_traces, locations=[experiment], max_results=ASKED)
        one = search()[0][-1].trace_id
        _analyse(f"{folder}/mlflow.db")
        return {
            "rates": rates,
            "unhelped": unhelped,
            "list": _asked(lambda: len(search()[0])),
            "filter": _asked(lambda: len(search(filter_string=_RARE)[0])),
            "one": _asked(lambda: len(store.get_trace(one).data.spans)),
        }


def _analyse(database: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("ANALYZE")


def _ingest(folder: Path, experiment: str, sent: int) -> dict[str, float]:
    """Spans a second by the median trace: appended to our log, sent to our receiver, sent to MLflow's endpoint.

    Each trace goes to all three before the next one does, since a disk has its moods.
    """
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog

    log, received = SQLiteRunLog(folder / "runs.db"), SQLiteRunLog(folder / "received.db")
    as_protobuf = {"content-type": "application/x-protobuf"}
    ours, mlflow, for_mlflow = _our_app(received), _mlflow_app(), {**as_protobuf, "x-mlflow-experiment-id": experiment}
    with asyncio.Runner() as runner:
        doors = {
            "log": lambda number, _: log.append(_trace(number)),
            "ours": lambda _, body: runner.run(_post(ours, body, as_protobuf)),
            "mlflow": lambda _, body: runner.run(_post(mlflow, body, for_mlflow)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in doors}
        for number in range(sent):
            body = _body(number)
            for name, door in doors.items():
                seconds[name].append(timed(partial(door, number, body)))
    return {name: SPANS / median(each) for name, each in seconds.items()}


def _our_app(log: "SQLiteRunLog") -> Any:
    from ops_pipelines.adapters.secret_scan import find_secrets
    from ops_pipelines.agentops.redaction import Redactor
    from ops_pipelines.agentops.step_writer import Writer
    from ops_pipelines.apps.trace_receiver import TraceReceiver, make_app

    return make_app(TraceReceiver(Writer(log.append, Redactor(find_secrets))))


def _mlflow_app() -> Any:
    from fastapi import FastAPI
    from mlflow.server.otel_api import otel_router

    app = FastAPI()
    app.include_router(otel_router)
    return app


async def _post(app: Any, body: bytes, headers: dict[str, str]) -> None:
    """Has an application answer a request, as a server would once it had read it."""
    told: list[Any] = []
    named = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/traces", "headers": named, "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    await app(scope, receive, send)
    assert told[0]["status"] == 200, told


def _body(number: int) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

    parts = [ResourceSpans(scope_spans=[ScopeSpans(spans=_spans(number))])]
    return ExportTraceServiceRequest(resource_spans=parts).SerializeToString()


def _spans(number: int) -> list[Any]:
    """`_trace` as protobuf."""
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    trace, root = uuid.uuid4().bytes, uuid.uuid4().bytes[:8]
    spans = []
    for name in ("oncall", *_names(number)):
        is_root = name == "oncall"
        parent = {} if is_root else {"parent_span_id": root}
        began = 1_770_000_000_000_000_000 + number * 1_000_000
        ids = {"trace_id": trace, "span_id": root if is_root else uuid.uuid4().bytes[:8], **parent}
        span = Span(name=name, start_time_unix_nano=began, end_time_unix_nano=began + 1, **ids)
        text = span.attributes.add()
        text.key, text.value.string_value = "input.value", f"{TEXT}{number} {name}"
        spans.append(span)
    return spans


def _asked(query: Callable[[], int]) -> tuple[float, int]:
    """The median milliseconds of a query, and how much it found; one that takes seconds is asked once."""
    found = list[int]()
    first = timed(lambda: found.append(query()))
    seconds = first if first > PATIENCE_SECONDS else median(timed(query) for _ in range(ROUNDS))
    return 1000 * seconds, found[0]


def _at_least(name: str, ours: float, least: float, *, note: str = "") -> Row:
    return Row(name, ours, None, None, f"ours >= {least:,}", ours >= least, note)
