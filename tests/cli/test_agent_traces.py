"""`ops agent receive` and `ops agent export`, as far as they go without a server."""

import socket

import pytest

from ops_pipelines.testing.run_log import entry_of


@pytest.fixture
def runs(home):
    home.folder.mkdir(exist_ok=True)
    return home.platform.runs


@pytest.fixture
def nobody():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_dry_run_says_how_many_steps_wait_and_sends_none(ops, home, runs):
    runs.append([entry_of(), entry_of("notify")])
    told = ops("agent", "export", "--dry-run", "--json")
    assert (told.code, told.json()) == (0, {"waiting": 2})
    assert not list(home.folder.rglob("exported-*"))


@pytest.mark.parametrize("option", ["--to", "--otlp"])
def test_where_nobody_answers_it_could_not_be_told_and_all_of_it_waits(ops, runs, nobody, option):
    runs.append([entry_of()])
    told = ops("agent", "export", option, nobody)
    assert (told.code, "nothing is lost" in told.out) == (3, True)
    assert ops("agent", "export", option, nobody, "--dry-run", "--json").json() == {"waiting": 1}


def test_two_destinations_at_once_are_wrong_usage(ops):
    assert ops("agent", "export", "--to", "http://127.0.0.1:1", "--otlp", "http://127.0.0.1:1").code == 2


def test_a_port_that_is_taken_is_told_with_what_to_do(ops, nobody):
    told = ops("agent", "receive", "--port", nobody.rpartition(":")[2])
    assert (told.code, "choose another with --port" in told.err) == (2, True)
