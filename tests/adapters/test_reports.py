import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops_pipelines.adapters.reports import PORT_VARIABLE, Reports, ReportServer, port_from_environment
from ops_pipelines.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
NO_NAMES = ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "a\n", "a%2e", "-a", "é", "a" * 101]


@pytest.fixture
def reports(tmp_path, monkeypatch) -> Reports:
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    return Reports(tmp_path / "home")


@pytest.fixture
def served(reports) -> Iterator[ReportServer]:
    """One report, on a server in a thread."""
    reports.publish("flights", "2013-06-24", b"<p>June</p>")
    with ReportServer(reports, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: ReportServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """The answer to a request whose path is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    answer = response.status, response.read(), response.headers
    connection.close()
    return answer


def test_a_published_report_has_an_address_and_replaces_an_earlier_one(reports):
    assert reports.publish("flights", "2013-06-24", b"old") == "http://127.0.0.1:3001/flights/2013-06-24.html"
    reports.publish("flights", "2013-06-24", b"new")
    assert [file.name for file in reports.folder.rglob("*") if file.is_file()] == ["2013-06-24.html"]
    assert (reports.folder / "flights" / "2013-06-24.html").read_bytes() == b"new"


def test_a_publication_that_fails_leaves_the_earlier_report(reports):
    reports.publish("flights", "2013-06-24", b"old")
    with pytest.raises(TypeError):
        reports.publish("flights", "2013-06-24", "text, and no bytes")
    assert reports.read("/flights/2013-06-24.html") == b"old"
    assert len(list((reports.folder / "flights").iterdir())) == 1


def test_the_address_follows_the_environment(reports, monkeypatch):
    monkeypatch.setenv(PORT_VARIABLE, "4321")
    assert reports.url("flights", "w1") == "http://127.0.0.1:4321/flights/w1.html"


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "3001 ", "\u0661"])
def test_a_port_that_is_none_is_refused(text, monkeypatch):
    monkeypatch.setenv(PORT_VARIABLE, text)
    with pytest.raises(ConfigError, match=PORT_VARIABLE):
        port_from_environment()


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_is_no_file_name_is_refused(reports, name):
    with pytest.raises(ConfigError, match="for the system"):
        reports.publish(name, "2013-06-24", b"")
    with pytest.raises(ConfigError, match="for the week"):
        reports.publish("flights", name, b"")
    assert not reports.folder.exists()


def test_serves_a_report_with_headers_that_keep_it_to_itself(served):
    status, body, headers = ask(served, "/flights/2013-06-24.html?from=dagster")
    assert (status, body) == (200, b"<p>June</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';")
    assert "http" not in policy
    assert "connect-src" not in policy  # the default, which is none


def test_head_tells_the_length_and_sends_no_body(served):
    status, body, headers = ask(served, "/flights/2013-06-24.html", "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "11")


def test_the_index_lists_the_newest_week_first(served):
    served.reports.publish("flights", "2013-07-01", b"")
    served.reports.publish("arrivals", "2013-06-17", b"")
    (served.reports.folder / "flights" / ".2013-07-08.html.x.aside").touch()
    (served.reports.folder / "flights" / "<b>.html").touch()
    body = ask(served, "/")[1].decode()
    at = [body.index(link) for link in ("/flights/2013-07-01.", "/flights/2013-06-24.", "/arrivals/2013-06-17.")]
    assert at == sorted(at)
    assert body.count("<li>") == 3


def test_the_index_of_nothing_says_so(reports):
    assert b"No report was published yet" in reports.read("/")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/flights/../../secret.html",
        "/%2e%2e/secret.html",
        "/flights/%2e%2e%2f%2e%2e%2fsecret.html",
        "/..%2fsecret.html",
        "/%2e%2e/%2e%2e/secret.html",
        "/%252e%252e/secret.html",
        "/..\\secret.html",
        "//secret.html",
        "/flights/secret.html",
        "/linked/secret.html",
        "/flights/2013-06-24.html%00",
        "/flights/2013-06-24.html/",
        "/flights/2013-06-24.txt",
        "/flights/2013-06-24",
        "/flights/",
        "/flights",
        "/flights/%ff.html",
        "/flights/folder.html",
        "http://127.0.0.1/flights/2013-06-24.html",
        "//[flights/2013-06-24.html",
        "*",
    ],
)
def test_no_other_path_leads_anywhere(served, path):
    folder = served.reports.folder
    outside = folder.parent / "secret.html"
    outside.write_text("secret")
    (folder / "flights" / "secret.html").symlink_to(outside)
    (folder / "linked").symlink_to(folder.parent)
    (folder / "flights" / "folder.html").mkdir()
    (folder / "flights" / "2013-06-24.txt").write_text("secret")
    status, body, headers = ask(served, path)
    assert status == 404
    assert b"secret" not in body
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost:1", "127.0.0.1:3001"])
def test_answers_to_its_own_names(served, host):
    assert ask(served, "/", Host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost:x", "x@localhost", "", "0.0.0.0", "[::1]"]
)
def test_a_foreign_name_is_forbidden(served, host):
    status, body, _ = ask(served, "/flights/2013-06-24.html", Host=host)
    assert (status, b"June" in body) == (403, False)


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n"]
)
def test_no_name_or_two_are_forbidden(served, request_):
    with socket.create_connection(("127.0.0.1", served.server_port), timeout=60) as connection:
        connection.sendall(request_)
        assert b" 403 " in connection.makefile("rb").readline()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_reading_is_answered(served, method):
    assert ask(served, "/flights/2013-06-24.html", method)[0] == 501


def test_listens_on_loopback_alone(served):
    assert served.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_serves_and_ends_cleanly(reports, number):
    reports.publish("flights", "2013-06-24", b"June")
    child = subprocess.Popen(
        [sys.executable, "-m", "ops_pipelines.adapters.reports", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "OPS_HOME": str(reports.folder.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(child.stdout.readline().rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/flights/2013-06-24.html")
        assert connection.getresponse().read() == b"June"
        child.send_signal(number)
        assert child.communicate(timeout=60) == ("", "")
        assert child.returncode == 0
    finally:
        child.kill()
        child.communicate()


def test_a_taken_port_is_said_in_a_line(served):
    command = [sys.executable, "-m", "ops_pipelines.adapters.reports", "--port", str(served.server_port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1
