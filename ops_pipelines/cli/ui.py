"""`ops ui`: Dagster's UI with its daemon, MLflow's, and the reports, on loopback; one Ctrl-C ends all."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ops_pipelines.adapters.mlflow_registry import MLflowRegistry

app = typer.Typer()
HOST = "127.0.0.1"
_READY_SECONDS, _GRACE_SECONDS = 120.0, 15.0
QUIETER = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # several processes that import all of MLflow, for nothing we use
    "PYTHONWARNINGS": "ignore:Function `dev_command` is superseded,ignore:starlette.middleware.wsgi is deprecated",
}
"""What Dagster and MLflow would do and say otherwise, and nobody here needs."""


@dataclass(frozen=True, slots=True)
class Server:
    """One process to start: its name, where it will listen, its command, what ends it, and what has to be done before."""

    name: str
    port: int
    command: Sequence[object]
    stop: signal.Signals = signal.SIGINT
    before: Callable[[], None] = lambda: None


@app.callback()
def _family() -> None:
    pass


@app.command("ui")
def serve_ui(
    port: Annotated[int, typer.Option(help="Dagster's port.", min=1, max=65535)] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="MLflow's port.", min=1, max=65535)] = 5000,
    reports_port: Annotated[int, typer.Option(help="The reports' port.", min=1, max=65535)] = 3001,
) -> None:
    """Serve Dagster's UI, MLflow's and the reports until Ctrl-C. Automation runs only where OPS_AUTOMATION=on."""
    from ops_pipelines.adapters.dagster_home import prepare
    from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.adapters.reports import PORT_VARIABLE

    project = find_project()
    ports = {"--port": ("Dagster", port), "--mlflow-port": ("MLflow", mlflow_port)}
    ports["--reports-port"] = ("Reports", reports_port)
    _check_servable(project.root, ports)
    # Dagster's runs write the reports' addresses into metadata.
    environment = prepare(project) | QUIETER | {PORT_VARIABLE: str(reports_port)}
    os.environ.update(environment)
    registry = MLflowRegistry(project.home)
    tools = Path(sys.executable).parent
    dagster = [tools / "dagster", "dev", "-w", "workspace.yaml", "-h", HOST, "-p", port]
    mlflow = [tools / "mlflow", "server", "--backend-store-uri", registry.uri, "--host", HOST]
    mlflow += ["--port", mlflow_port, "--workers", 1, "--artifacts-destination", project.home / "mlflow-artifacts"]
    reports = [sys.executable, "-m", "ops_pipelines.adapters.reports", "--port", reports_port]
    # A signal handler set by the shell that starts us in the background would leave Ctrl-C ignored; ours is explicit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    servers = [
        Server("Dagster", port, dagster),
        Server("MLflow", mlflow_port, mlflow, stop=signal.SIGTERM, before=lambda: _create_database(registry)),
        Server("Reports", reports_port, reports),
    ]
    _serve(servers, project.root, environment)


def _create_database(registry: "MLflowRegistry") -> None:
    if not registry.database.exists():
        print("making MLflow's database (once, some seconds)", flush=True)
        registry.create()


def _serve(servers: Sequence[Server], root: Path, environment: dict[str, str]) -> None:
    """Start them all, say when each answers, and end them all when one ends or somebody says so."""
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for server in servers:
            server.before()
            words = [str(word) for word in server.command]
            children[server.name] = subprocess.Popen(words, cwd=root, env=environment, start_new_session=True)
        for server in servers:
            _wait_until_ready(server.name, children[server.name], server.port)
        print("Ctrl-C ends both UIs and the reports.", flush=True)
        while all(child.poll() is None for child in children.values()):
            time.sleep(0.5)
        ended = [name for name, child in children.items() if child.poll() is not None]
        print(f"ops: {', '.join(ended)} ended by itself; its output is above", file=sys.stderr)
        raise typer.Exit(3)
    except KeyboardInterrupt:
        print("\nending all", flush=True)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C would leave children behind
        _end([(children[server.name], server.stop) for server in servers if server.name in children])


def _wait_until_ready(name: str, child: "subprocess.Popen[bytes]", port: int) -> None:
    give_up = time.monotonic() + _READY_SECONDS
    while time.monotonic() < give_up and child.poll() is None:
        with socket.socket() as attempt:
            attempt.settimeout(1)
            if attempt.connect_ex((HOST, port)) == 0:
                print(f"{name}: http://{HOST}:{port}", flush=True)
                return
        time.sleep(0.3)
    if child.poll() is None:
        print(f"{name} does not answer on port {port} after {_READY_SECONDS:.0f} seconds; it may still", flush=True)


def _end(children: Sequence[tuple["subprocess.Popen[bytes]", signal.Signals]]) -> None:
    """Ask each child's whole group to end, wait, and end what is still there."""
    for child, stop in children:
        _signal(child, stop)
    give_up = time.monotonic() + _GRACE_SECONDS
    for child, _ in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, give_up - time.monotonic()))
        _signal(child, signal.SIGKILL)  # the group's stragglers, and the child itself where it did not listen
        child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _check_servable(root: Path, ports: Mapping[str, tuple[str, int]]) -> None:
    """ConfigError where a port is taken or given twice, or there is nothing to serve. `ports`: owner and port by option."""
    from ops_pipelines.core.errors import ConfigError

    owners: dict[int, str] = {}
    for option, (name, port) in ports.items():
        if port in owners:
            raise ConfigError(
                f"{owners[port]} and {name} are both given port {port}",
                expected="a port of its own for each",
                action=f"Choose {option}",
            )
        owners[port] = name
    if not (root / "workspace.yaml").is_file():
        raise ConfigError(
            f"There is no {root / 'workspace.yaml'}",
            expected="a file that names the project's code locations",
            action="Write `load_from:` with one python_module for each location",
        )
    for option, (name, port) in ports.items():
        _check_free(name, port, option)


def _check_free(name: str, port: int, option: str) -> None:
    from ops_pipelines.core.errors import ConfigError

    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"The port {port} of {name} is taken: {error.strerror}",
                expected="a free port",
                action=f"End what listens there, or choose another with {option}",
            ) from error
