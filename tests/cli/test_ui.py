import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import combinations
from pathlib import Path

import pytest

from ops_pipelines.testing.serving import wait_until

ROOT = Path(__file__).parents[2]


OPTIONS = ["--port", "--mlflow-port", "--reports-port"]


def free_ports() -> list[int]:
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in OPTIONS]
        return [server.getsockname()[1] for server in servers]


def options(ports: Sequence[int]) -> list[str]:
    return [word for option, port in zip(OPTIONS, ports, strict=True) for word in (option, str(port))]


def is_free(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) != 0


def answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
        return page.status == 200
    return False


def descendants(parent: int) -> set[int]:
    """The processes below one, by `ps`, whatever session they are in."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found, open_ = set(), {parent}
    while open_:
        open_ = {pid for pid, above in pairs if above in open_}
        found |= open_
    return found


def alive(pid: int) -> bool:
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(listed.strip()) and not listed.strip().startswith("Z")


@pytest.mark.parametrize("taken", OPTIONS)
def test_a_taken_port_is_wrong_usage_and_named(ops, home, taken):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        said = ops("ui", *options(free_ports()), taken, port)
    assert said.code == 2
    assert f"The port {port} of " in said.err
    assert f"choose another with {taken}" in said.err
    assert not home.folder.exists()


@pytest.mark.parametrize(("first", "second"), [*combinations(OPTIONS, 2)])
def test_one_port_for_two_is_wrong_usage(ops, first, second):
    said = ops("ui", first, "4000", second, "4000")
    assert said.code == 2
    assert f"Choose {second}" in said.err


def test_a_project_without_a_workspace_has_nothing_to_serve(ops, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    monkeypatch.chdir(tmp_path)
    said = ops("ui")
    assert said.code == 2
    assert "workspace.yaml" in said.err


@pytest.fixture
def server(tmp_path):
    """`ops ui` in a session of its own, with its three ports; ended with all that it started, whatever the test did."""
    ports = free_ports()
    words = ["ui", *options(ports)]
    environment = {**os.environ, "OPS_HOME": str(tmp_path / "home")}
    code = "from ops_pipelines.cli import main; main()"
    with (tmp_path / "log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield child, ports
    for pid in (*descendants(child.pid), child.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.wait()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_serves_all_on_loopback_until_ctrl_c_and_leaves_nothing_behind(server, tmp_path):
    child, ports = server
    wait_until(lambda: child.poll() is not None or all(answers(port) for port in ports), seconds=400)
    assert child.poll() is None, (tmp_path / "log").read_text()[-3000:]
    below = descendants(child.pid)
    assert len(below) >= 4
    child.send_signal(signal.SIGINT)
    assert child.wait(120) == 0
    wait_until(lambda: all(is_free(port) for port in ports) and not any(alive(pid) for pid in below))
