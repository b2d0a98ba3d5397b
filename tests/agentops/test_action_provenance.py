"""What made an agent's action, walked over things that are there and things that are gone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ops_pipelines.agentops.action_provenance import Sources, room_of
from ops_pipelines.agentops.effects import Entry, Intent
from ops_pipelines.agentops.run_log import MEMORY_READ, recording_of
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.walk import explain
from ops_pipelines.testing.run_log import RUN, MemoryRunLog, entry_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANSWER = "runbook_answers/asked/2026-03-02/ab12cd34/" + "ef" * 6


def sources(*entries, **others):
    log = MemoryRunLog()
    log.append(entries)
    found = Sources(
        runs=lambda digits: [run for run in [RUN] if run.startswith(digits)],
        recording=lambda run: recording_of(log, run),
        approvals=lambda: (),
        decisions=lambda: (),
        effects=lambda: (),
        memory=lambda version: None,
        system=lambda release: "oncall",
        is_release=lambda digits: False,
        now=lambda: NOW,
    )
    return replace(found, **others)


def walked(name, found, depth=None):
    return explain(name, [room_of(found)], depth=depth)


def test_a_run_leads_to_its_release_the_memory_it_read_and_the_answers_it_was_given():
    read = entry_of("memory", kind=MEMORY_READ, memory_version="acme@2,acme/oncall@1", release="ab" * 32)
    asked = entry_of("ask", outputs={"status": "done", "result": {"id": ANSWER, "text": "see it"}})
    found = walked(RUN[:8], sources(read, asked), depth=0).nodes[0][1]
    assert found.parents == (
        ("release", f"oncall/{'ab' * 32}"),
        ("memory", "acme@2"),
        ("memory", "acme/oncall@1"),
        ("answer", ANSWER),
    )


def test_a_run_of_no_release_that_is_known_says_so():
    found = walked(RUN, sources(entry_of(release="ab" * 32), system=lambda release: None))
    assert "no release that is known here" in found.missing[0].missing


def test_an_approval_and_a_memory_that_are_gone_are_missing_links():
    entry = Entry(Intent("k/1", "notify", "{}", RUN, "", approval="cd" * 16), NOW, NOW)
    read = entry_of("memory", kind=MEMORY_READ, memory_version="acme@2")
    found = walked("k/1", sources(read, effects=lambda: (entry,)))
    assert [node.kind for node in found.missing] == ["approval", "memory"]


def test_a_run_that_is_gone_is_no_explanation():
    with pytest.raises(DataError, match="no run"):
        walked(RUN, sources())


def test_digits_of_a_release_name_no_run():
    assert room_of(sources(entry_of(), is_release=lambda digits: True)).named(RUN[:6]) is None
