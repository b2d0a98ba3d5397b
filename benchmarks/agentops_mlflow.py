"""What MLflow does to an agent's latency: healthy, slow and dead, with the copies of its runs made by processes beside it.

The agent's program takes a hundredth of a second a tool call, and each step is on the disk before it goes on. Three logs
are each followed by a process of their own, to a real server of MLflow, to a server that takes two seconds an answer, and to
a port where nobody listens. Runs are recorded in them in turn. At the end the dead one comes back, and what each destination
was told is counted against its log.
"""

import json
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.processes import timed
from benchmarks.rows import Row, void
from ops_pipelines.testing.servers import free_port, running

if TYPE_CHECKING:
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
    from ops_pipelines.agentops.recording import Scope

ROUNDS, QUICK_ROUNDS, CALLS = 15, 2, 40
TOOL_SECONDS, SLOW_SECONDS, CATCHES_UP_SECONDS = 0.01, 2.0, 90
AT_MOST = 1.05
FOLLOW = """
import sys
from pathlib import Path
from ops_pipelines.adapters.mlflow_traces import following
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.adapters.trace_cursor import TraceCursor
from ops_pipelines.adapters.trace_destinations import MLflowServer

log, cursor = SQLiteRunLog(Path(sys.argv[1])), TraceCursor(Path(sys.argv[2]))
for exported in following(log, cursor, MLflowServer(sys.argv[3]), every_seconds=0.5):
    pass
"""
STAND_IN = "from benchmarks.agentops_mlflow import stand_in; import sys; stand_in(int(sys.argv[1]), float(sys.argv[2]))"


def measure() -> Iterator[Row]:
    """The latency beside each MLflow, and what was lost."""
    yield from _measured(ROUNDS)


def measure_quick() -> Iterator[Row]:
    """The same with fewer runs."""
    yield from _measured(QUICK_ROUNDS)


@dataclass(frozen=True, slots=True)
class Followed:
    """A log with the file of its follower's cursor, and where that sends to."""

    log: "SQLiteRunLog"
    cursor: Path
    url: str

    @property
    def steps(self) -> int:
        return self.log.last_sequence()


def _measured(rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        logs = _logs(Path(name), servers)
        seconds: dict[str, list[float]] = {condition: [] for condition in logs}
        for _ in range(rounds):
            for condition, followed in logs.items():
                seconds[condition].append(timed(lambda followed=followed: _run(followed.log)))
        servers.enter_context(_standing_in(int(logs["dead"].url.rpartition(":")[2]), 0.0))
        found = {condition: (followed.steps, _shown_at_last(followed)) for condition, followed in logs.items()}
    healthy = median(seconds["healthy"])
    for condition in ("slow", "dead"):
        yield _row(condition, median(seconds[condition]) / CALLS, healthy / CALLS)
    yield from (_lost(condition, kept, shown) for condition, (kept, shown) in found.items())


def _row(condition: str, ours: float, healthy: float) -> Row:
    name = f"agentops, an agent's step while MLflow is {condition}, ms"
    note = f"the peer is the same beside a healthy one; {1000 * TOOL_SECONDS:g} ms of each are the tool's"
    holds = ours <= AT_MOST * healthy
    return Row(name, 1000 * ours, 1000 * healthy, ours / healthy, f"ours <= {AT_MOST:g} x peer", holds, note)


def _lost(condition: str, kept: int, shown: int) -> Row:
    name = f"agentops, steps of the log that a {condition} MLflow lacks once it is back, steps"
    if not kept:
        return void(name, "ours <= 0", "nothing was recorded")
    return Row(name, float(kept - shown), None, None, "ours <= 0", kept == shown, f"{kept:,} steps in the log")


def _logs(folder: Path, servers: ExitStack) -> dict[str, Followed]:
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog

    ports = {"healthy": free_port(), "slow": free_port(), "dead": free_port()}
    servers.enter_context(_mlflow(folder, ports["healthy"]))
    servers.enter_context(_standing_in(ports["slow"], SLOW_SECONDS))
    logs = {}
    for condition, port in ports.items():
        (folder / condition).mkdir()
        log = SQLiteRunLog(folder / condition / "log" / "runs.db")
        logs[condition] = Followed(log, folder / condition / "cursor.json", f"http://127.0.0.1:{port}")
        _run(log)  # the file is there, and each follower has begun, before anything is timed
        servers.enter_context(_follower(logs[condition]))
    time.sleep(SLOW_SECONDS)
    return logs


def _run(log: "SQLiteRunLog") -> None:
    """One run of an agent that calls tools one after the other."""
    from datetime import UTC, datetime

    from ops_pipelines.agentops.recording import Live, Tape
    from ops_pipelines.agentops.step_writer import Writer

    def program(scope: "Scope") -> None:
        for number in range(CALLS):
            scope.tool("drift_report", {"subject": number}, _works)

    tape = Tape(uuid.uuid4().hex, Live(lambda: datetime.now(UTC)), Writer(log.append), "r1")
    program(tape.begin("oncall", {"alarm": "drift of flight_delay"}))


def _works() -> str:
    time.sleep(TOOL_SECONDS)
    return "fine"


def _shown_at_last(followed: Followed) -> int:
    """How many spans a destination has once it has as many as the log, or when patience ends."""
    give_up = time.monotonic() + CATCHES_UP_SECONDS
    while (shown := _count(followed.url)) < followed.steps and time.monotonic() < give_up:
        time.sleep(0.5)
    return shown


def _count(url: str) -> int:
    import httpx2

    with httpx2.Client(timeout=10 + SLOW_SECONDS, trust_env=False) as client:
        answer = client.get(f"{url}/spans")
        return int(answer.json()) if answer.status_code == 200 and answer.text.isdigit() else _of_mlflow(client, url)


def _of_mlflow(client: Any, url: str) -> int:
    """How many spans MLflow has, counted trace by trace."""
    from mlflow.tracking import MlflowClient

    traces = MlflowClient(tracking_uri=url).search_traces(locations=[_experiment(client, url)], max_results=500)
    return sum(len(trace.data.spans) for trace in traces)


def _experiment(client: Any, url: str) -> str:
    answer = client.get(f"{url}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "agents"})
    return str(answer.json()["experiment"]["experiment_id"])


def _mlflow(folder: Path, port: int) -> Any:
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", f"{folder}/artefacts"]
    return running([*words, *stores], port, "/health", MLFLOW_DISABLE_TELEMETRY="true")


def _standing_in(port: int, seconds: float) -> Any:
    return running([sys.executable, "-c", STAND_IN, str(port), str(seconds)], port, "/health")


@contextmanager
def _follower(followed: Followed) -> Iterator[None]:
    import subprocess

    words = [sys.executable, "-c", FOLLOW, str(followed.log.path), str(followed.cursor), followed.url]
    child = subprocess.Popen(words, cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.kill()  # it may be in the middle of a request; its cursor is written aside, and loses nothing
        child.wait(10)


def stand_in(port: int, seconds: float) -> None:
    """Serves what an exporter asks of MLflow, `seconds` late, and tells how many spans it was given at /spans."""
    kept, lock = set[tuple[str, str]](), threading.Lock()
    ThreadingHTTPServer(("127.0.0.1", port), _handler(seconds, kept, lock)).serve_forever()


def _handler(seconds: float, kept: set[tuple[str, str]], lock: threading.Lock) -> type[BaseHTTPRequestHandler]:
    from ops_pipelines.adapters.otlp_wire import PROTOBUF, read_request

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"experiment": {"experiment_id": "1"}} if "get-by-name" in self.path else len(kept)
            self._answer(json.dumps(found).encode())

        def do_POST(self) -> None:
            request = read_request(self.rfile.read(int(self.headers["content-length"])), PROTOBUF)
            time.sleep(seconds)
            with lock:
                kept.update(_ids(request))
            self._answer(b"")

        def log_message(self, *words: Any) -> None:
            pass

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _ids(request: Mapping[str, Any]) -> set[tuple[str, str]]:
    scopes = [scope for part in request["resourceSpans"] for scope in part["scopeSpans"]]
    return {(span["traceId"], span["spanId"]) for scope in scopes for span in scope["spans"]}
