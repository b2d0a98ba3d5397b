import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ops_pipelines.adapters.notifier import NotificationError, Notifier, one_at_a_time


@dataclass
class Listener:
    """Takes what apprise posts, or refuses it."""

    port: int = 0
    status: int = 200
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"json://ann:sesame@127.0.0.1:{self.port}/hidden"


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            listener.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(listener.status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    listener.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield listener
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_target_hears_title_and_reasons(listener, monkeypatch):
    monkeypatch.setenv("OPS_NOTIFY", listener.address)
    Notifier.from_environment().tell("delays: alarm", "- too *slow* & late\n- again")
    assert [(one["title"], one["message"]) for one in listener.heard] == [
        ("delays: alarm", "- too *slow* & late\n- again")
    ]


def test_without_targets_the_message_is_lines_on_standard_output(monkeypatch, capsys):
    monkeypatch.delenv("OPS_NOTIFY", raising=False)
    Notifier.from_environment().tell("delays: alarm", "- too slow")
    assert capsys.readouterr().out == "delays: alarm\n- too slow\n"


def test_a_target_that_refuses_is_named_by_number_and_service_and_the_others_are_told(listener, monkeypatch, caplog):
    monkeypatch.setenv("OPS_NOTIFY", f"json://127.0.0.1:1/hidden {listener.address} sesame://hidden sesame")
    with caplog.at_level(logging.DEBUG), pytest.raises(NotificationError) as raised:
        Notifier.from_environment().tell("delays: alarm", "- too slow")
    assert str(raised.value).startswith(
        "Of the 4 targets in OPS_NOTIFY, target 1 (JSON) did not take the message; target 3 is no address that apprise "
        "knows; target 4 is no address that apprise knows. Expected: "
    )
    assert len(listener.heard) == 1


def test_no_error_log_or_representation_holds_an_address(listener, caplog, capsys):
    listener.status = 500
    notifier = Notifier((listener.address, "sesame://hidden", "slack://hidden/sesame"))
    with caplog.at_level(logging.DEBUG), pytest.raises(NotificationError) as raised:
        notifier.tell("delays: alarm", "- too slow")
    said = f"{raised.value} {raised.value.facts} {notifier!r} {caplog.text} {capsys.readouterr()}"
    assert len(listener.heard) == 1
    assert [secret for secret in ("sesame", "hidden", "ann", str(listener.port)) if secret in said] == []


def test_what_was_logged_before_is_logged_after(listener, caplog):
    Notifier((listener.address,)).tell("delays: alarm", "- too slow")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("apprise").debug("heard")
    assert "heard" in caplog.text


def test_only_one_at_a_time_holds_a_lock(tmp_path):
    order: list[str] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with one_at_a_time(tmp_path / "locks" / "alarms.lock"):
            order.append("second")

    with one_at_a_time(tmp_path / "locks" / "alarms.lock"):
        thread = threading.Thread(target=second)
        thread.start()
        started.wait()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
