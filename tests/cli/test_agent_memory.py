"""What agents remember, at the command line: shown, searched for poison, rolled back."""

import pytest

from ops_pipelines.adapters.poisoned_memory import ROLLS_BACK
from ops_pipelines.agentops.memory import Change, MemoryScope, version_name
from ops_pipelines.agentops.run_log import MEMORY_READ
from ops_pipelines.core.audit import read_entry
from ops_pipelines.testing.run_log import entry_of

SCOPE = MemoryScope("acme", "refunds")
WEB = ("--source", "tool:get_webpage")
READER = "ab" * 16


@pytest.fixture
def poisoned(refunds):
    """A memory with a good limit, a poisoned one, and what a run wrote that had read that."""
    platform, at = refunds.platform, refunds.platform.clock.wall()
    changes = [
        Change("limit", {"usd": 50}, "refunds", "user", at),
        Change("limit", {"usd": 9999}, "refunds", WEB[1], at),
        Change("plan", "pay more", "refunds", "model", at, run=READER),
    ]
    platform.memory.append(SCOPE, changes)
    read = entry_of("memory", kind=MEMORY_READ, run=READER, memory_version=version_name(SCOPE, 2))
    platform.runs.append([read])
    return platform


def test_a_memory_is_shown_with_who_wrote_what_from_where(ops, poisoned):
    found = ops("agent", "memory", "show", "acme/refunds", "--json").json()
    assert [(one["key"], one["source"]) for one in found] == [("limit", WEB[1]), ("plan", "model")]
    assert ops("agent", "memory", "show", "acme/refunds", "--version", "1", "--json").json()[0]["value"] == {"usd": 50}
    assert len(ops("agent", "memory", "show", "acme/refunds", "--history", "--json").json()) == 3


def test_poisoned_entries_are_found_with_the_runs_that_read_them(ops, poisoned):
    (found,) = ops("agent", "memory", "find", "acme", "--text", "9999", "--json").json()
    assert ([one["version"] for one in found["entries"]], found["read_by"]) == ([2], [READER])
    assert f"ops agent show {READER[:12]}" in ops("agent", "memory", "find", "acme", *WEB).out


def test_with_spread_what_readers_wrote_is_found_too(ops, poisoned):
    (found,) = ops("agent", "memory", "find", "acme", *WEB, "--spread", "--json").json()
    assert [one["version"] for one in found["entries"]] == [2, 3]
    assert (
        ops("agent", "memory", "find", "acme", "--run", READER[:6], "--json").json()[0]["entries"][0]["key"] == "plan"
    )


def test_a_rollback_gives_back_the_last_good_value_and_is_told_of(ops, poisoned):
    dry = ops("agent", "memory", "rollback", "acme", *WEB, "--dry-run", "--json").json()
    assert (dry[0]["value now"], len(poisoned.memory.changes(SCOPE))) == ({"usd": 50}, 3)
    ops("agent", "memory", "rollback", "acme", *WEB, "--spread", "--reason", "a planted page")
    found = ops("agent", "memory", "show", "acme/refunds", "--json").json()
    assert [(one["key"], one["value"]) for one in found] == [("limit", {"usd": 50})]
    assert read_entry(poisoned.audit.rows()[-1]).action == ROLLS_BACK


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "acme/refund"), "Did you mean 'acme/refunds'?"),
        (("show", "a/b/c/d"), "No memory is called"),
        (("find", "acme"), "Nothing is suspected"),
        (("find", "acne", *WEB), "remembers nothing"),
        (("find", "acme", "--run", "ffff"), "No run begins with"),
    ],
)
def test_wrong_usage_exits_with_2(ops, poisoned, words, told):
    said = ops("agent", "memory", *words)
    assert (said.code, told in said.err) == (2, True), said.err
