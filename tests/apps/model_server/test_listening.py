"""Where `ops serve` listens, whom it answers, what it says where it cannot, and with what it exits."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection

import psutil
import pytest

from ops_pipelines.apps.model_server.settings import Settings
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.testing.load import post, said
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body
from ops_pipelines.testing.servers import ask, free_port
from ops_pipelines.testing.serving import serve_words, serving, wait_until

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body())


@pytest.fixture
def home(tmp_path):
    home = ServedHome.at(tmp_path / "home")
    home.make_live(home.publish_linear(0.0))
    return tmp_path / "home"


@pytest.fixture
def start(home, tmp_path):
    """Starts `ops serve` on a port; what it started is ended with the test."""
    (tmp_path / "tmp").mkdir()
    children = []

    def start(port, *options):
        words = serve_words("--no-features", "--port", str(port), *options)
        settings = {**os.environ, "OPS_HOME": str(home), "TMPDIR": str(tmp_path / "tmp")}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        children.append(subprocess.Popen(words, env=settings, start_new_session=True, **pipes))
        return children[-1]

    yield start
    for child in children:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def is_ready(port):
    return ask(port, "/v2/health/ready")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "example.org"])
def test_an_address_that_others_reach_needs_tokens(host):
    with pytest.raises(ConfigError, match="--tokens"):
        Settings(host=host)
    assert Settings(host=host, tokens=True).host == host


def test_without_being_told_otherwise_only_this_machine_is_listened_to(home):
    with serving(home) as server:
        listening = [one.laddr for one in psutil.Process(server.pid).net_connections() if one.status == "LISTEN"]
    assert [(one.ip, one.port) for one in listening] == [("127.0.0.1", server.port)]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:8080", 200), ("evil.example", 400), ("localhost.evil", 400)],
)
@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/v2"])
def test_a_page_that_names_another_host_learns_nothing(answering, path, host, status):
    assert answering.get(path, host=host).status_code == status


def test_a_port_that_is_taken_is_told_with_what_to_do_and_leaves_nothing_behind(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = start(taken.getsockname()[1])
        promised, told = refused.communicate(timeout=90)
    assert (refused.returncode, promised) == (2, "")
    assert "cannot be listened on: Address already in use" in told
    assert "--port" in told
    assert list((tmp_path / "tmp").glob("ops-serve-*")) == []


def test_of_two_servers_that_are_started_together_on_a_port_one_answers_and_one_says_why_not(start):
    port = free_port()
    both = [start(port), start(port)]
    wait_until(lambda: is_ready(port) and any(one.poll() is not None for one in both), seconds=90)
    (refused,) = (one for one in both if one.poll() is not None)
    promised, told = refused.communicate()
    assert (refused.returncode, promised) == (2, "")
    assert "Address already in use" in told
    (answering,) = (one for one in both if one is not refused)
    assert f":{port}/v2/health/ready" in answering.stdout.readline()


def test_a_server_takes_its_port_again_at_once(home):
    with serving(home) as server, closing(HTTPConnection("127.0.0.1", server.port)) as kept:
        kept.request("GET", "/v2/health/live")
        assert kept.getresponse().read()
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: psutil.Process(server.pid).status() == psutil.STATUS_ZOMBIE)
    with serving(home, port=server.port) as again:
        assert said(again.port, [REQUEST])[0].status == 200


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.long)])
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=lambda by: by.name)
def test_a_server_that_is_told_to_end_exits_0_without_a_complaint(start, workers, by):
    port = free_port()
    child = start(port, "--workers", workers)
    wait_until(lambda: is_ready(port), seconds=90)
    os.killpg(child.pid, by)  # as a terminal does
    said_out, told = child.communicate(timeout=90)
    assert child.returncode == 0
    assert f"http://127.0.0.1:{port}/v2/health/ready" in said_out
    assert "Traceback" not in told


def test_a_connection_on_which_nothing_comes_does_not_hold_the_end_up(start):
    port = free_port()
    child = start(port)
    wait_until(lambda: is_ready(port))
    with socket.create_connection(("127.0.0.1", port), timeout=60) as idle:
        child.terminate()
        assert idle.recv(1) == b""
        _, told = child.communicate(timeout=90)
    assert (child.returncode, "exceeded" in told) == (0, False)  # uvicorn says when it has waited in vain


@pytest.mark.skipif(not socket.has_ipv6 or sys.platform == "darwin", reason="this machine has no ::1")
def test_the_other_loopback_is_written_as_a_browser_takes_it(start):
    port = free_port()
    child = start(port, "--host", "::1")
    line = child.stdout.readline()
    assert f"http://[::1]:{port}/v2/health/ready" in line
