"""Reports that people read: whole HTML files under OPS_HOME/reports, and a small server that shows them on loopback.

The server only reads. It answers GET and HEAD for the index and for `/<system>/<week>.html`, and nothing else; names
are checked before they touch the disk, and links that lead elsewhere are not followed. A page may run its own scripts
and load nothing: that is told to the browser with every answer.
"""

import argparse
import os
import re
import signal
import socketserver
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.core.errors import ConfigError

HOST, PORT_VARIABLE, DEFAULT_PORT = "127.0.0.1", "OPS_REPORTS_PORT", 3001
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a week's report is replaced under its own address
}
"""Sent with every answer."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REPORT = re.compile(rf"/({_NAME.pattern})/({_NAME.pattern})\.html")
# Only by the name: the port differs where it is forwarded, and a foreign page's name is what must not get in.
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?", re.IGNORECASE)


class Reports:
    """The reports under one OPS_HOME, one file for each week of a system."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "reports"

    def publish(self, system: str, week: str, content: bytes) -> str:
        """Keep a report, whole or not at all, in the place of an earlier one; its address. Errors as for `url`."""
        address = self.url(system, week)
        with written_aside(self.folder / system / f"{week}.html") as aside:
            aside.write_bytes(content)
        return address

    def url(self, system: str, week: str) -> str:
        """Where a report is read while `ops ui` runs, whether or not it was published.

        ConfigError for a name that is no plain file name, or an OPS_REPORTS_PORT that is no port.
        """
        for kind, name in (("system", system), ("week", week)):
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"A report cannot be kept for the {kind} {name!r}",
                    expected="up to 100 letters, digits, dots, dashes and underscores, a letter or digit first",
                    action=f"Rename the {kind}",
                )
        return f"http://{HOST}:{port_from_environment()}/{system}/{week}.html"

    def read(self, path: str) -> bytes | None:
        """The page of an address's path, decoded; None where there is none."""
        if path == "/":
            return _index(list(self._newest_first()))
        named = _REPORT.fullmatch(path)
        return self._content(*named.groups()) if named else None

    def files(self) -> Iterator[Path]:
        """The file of each report, at `<system>/<week>.html`."""
        yield from sorted(file for file in self.folder.glob("*/*.html") if file.is_file())

    def remove(self, system: str, week: str, *, before: datetime) -> bool:
        """Delete a report; whether it was there and was written before an instant."""
        file = self.folder / system / f"{week}.html"
        if not file.is_file() or file.stat().st_mtime >= before.timestamp():
            return False
        file.unlink()
        return True

    def _content(self, system: str, week: str) -> bytes | None:
        file = self.folder.resolve() / system / f"{week}.html"
        try:
            return file.read_bytes() if file.resolve(strict=True) == file else None
        except OSError:
            return None

    def _newest_first(self) -> Iterator[tuple[str, str]]:
        """System and week of each report."""
        files = [file for file in self.folder.glob("*/*.html") if file.is_file()]
        for file in sorted(files, key=lambda file: (file.stem, file.parent.name), reverse=True):
            if _NAME.fullmatch(file.stem) and _NAME.fullmatch(file.parent.name):
                yield file.parent.name, file.stem


def port_from_environment() -> int:
    """The port of OPS_REPORTS_PORT, 3001 where it is not set; ConfigError where it is no port."""
    text = os.environ.get(PORT_VARIABLE) or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ConfigError(
            f"{PORT_VARIABLE} is {text!r}",
            expected="a port, 1 to 65535",
            action=f"Set it, or unset it for {DEFAULT_PORT}",
        )
    return int(text)


class ReportServer(ThreadingHTTPServer):
    """Serves reports on loopback; port 0 takes a free one, which `server_port` then names."""

    def __init__(self, reports: Reports, port: int) -> None:
        self.reports = reports
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Binds without asking a name server who we are, as the parent does, slowly where none answers."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    timeout = 30  # a client that says nothing does not keep its thread
    server_version, sys_version = "reports", ""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0].strip()):
            return self._refuse(HTTPStatus.FORBIDDEN)
        page = self.server.reports.read(_path(self.path))
        if page is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        return self._send(HTTPStatus.OK, page)

    def _refuse(self, status: HTTPStatus) -> None:
        self._send(status, f"<!DOCTYPE html><title>{status}</title><p>{status.phrase}</p>".encode())

    def _send(self, status: HTTPStatus, page: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        with suppress(ConnectionError, TimeoutError):  # a reader may leave before the page is through
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(page)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name in http.server)
        """Nothing: beside Dagster's and MLflow's output nobody reads who opened a page."""


def _path(target: str) -> str:
    """The decoded path of a request's target; empty where it is no path of this server."""
    try:
        return unquote(urlsplit(target).path, errors="strict") if target.startswith("/") else ""
    except ValueError:
        return ""


def _index(reports: Sequence[tuple[str, str]]) -> bytes:
    # The names were checked, and have nothing to escape.
    items = "".join(f'<li><a href="/{system}/{week}.html">{week} {system}</a></li>' for system, week in reports)
    body = f"<ul>{items}</ul>" if items else "<p>No report was published yet.</p>"
    head = '<meta charset="utf-8"><title>Reports</title><style>body { font: 16px/1.6 system-ui; margin: 2em }</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body><h1>Reports</h1>{body}</body></html>'.encode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the project's reports until SIGINT or SIGTERM; 0, or 2 where the port or the project cannot be used."""
    from ops_pipelines.adapters.project import find_project

    parser = argparse.ArgumentParser(description="Show the project's reports on loopback.")
    parser.add_argument("--port", type=int, help=f"0 for any free one; {PORT_VARIABLE} or {DEFAULT_PORT} without it")
    chosen = parser.parse_args(arguments).port
    # Set here, since a shell that starts a process in the background leaves it deaf to SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        port = port_from_environment() if chosen is None else chosen
        with ReportServer(Reports(find_project().home), port) as server:
            sys.stdout.write(f"reports at http://{HOST}:{server.server_port}\n")
            sys.stdout.flush()
            server.serve_forever()
    except KeyboardInterrupt:
        return 0
    except (ConfigError, OSError, OverflowError) as error:
        sys.stderr.write(f"reports: {error}\n")
    return 2


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
