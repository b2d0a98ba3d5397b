"""A secret in the arguments of a call is in no file of a home once nobody needs it, and what is known of the call stays."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.adapters.approvals import answer_approval
from ops_pipelines.adapters.redactors import redactor_of, secrets_out_of
from ops_pipelines.adapters.settled_effects import settle_effect
from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.backtest import SECRET_OUT, backtest
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.run_state import DONE, WAITING
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.testing.approval_store import BINDING, LATER, MOMENT, NOON, granted_by, request_of
from ops_pipelines.testing.open_agents import POLICY, Desk, agent_at, answer_all, platform_in

KEY = "sk-" + "live-9f8K2mQxT7vRw3ZbN6pLc4Yd"
ASKS = """
@id("reads") permit(principal, action, resource) when { resource.effect == "read" };
@id("all else is approved") permit(principal, action, resource) when { context.approved };
"""


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return platform_in(tmp_path)


@pytest.fixture
def desk() -> Desk:
    return Desk(shown={"A17": f"use {KEY}"})


@pytest.fixture
def clerk(platform, desk):
    return agent_at(platform, desk, note_it, policy=ASKS)


def note_it(session):
    """Notes what it reads, to somebody: a secret, and what is none."""
    found = session.tool("order", id="A17").result
    return session.tool("note", text=f"{found} for ada@example.org").to_json()


class Died(BaseException):
    """A process that ends here."""


class DiesBeforeItIsNoted:
    """A log of runs whose process dies when an effect was done, and is to be noted."""

    def __init__(self, runs):
        self._runs = runs

    def __getattr__(self, name):
        return getattr(self._runs, name)

    def append(self, entries):
        if any(entry.step.name == "note" for entry in entries):
            raise Died
        return self._runs.append(entries)


def on_disk(platform) -> list[str]:
    """The files of a home that hold the secret."""
    files = (file for file in platform.project.home.rglob("*") if file.is_file())
    return sorted(file.name for file in files if KEY.encode() in file.read_bytes())


def test_the_exact_arguments_are_kept_until_the_yes_is_used_and_no_longer(clerk, desk, platform):
    ran = clerk.start("note it")
    assert set(on_disk(platform)) <= {"approvals.db", "approvals.db-wal"} != set()
    assert answer_all(clerk) == 1
    assert clerk.resume(ran.run).state == DONE
    assert desk.done == [f"use {KEY} for ada@example.org"]
    assert on_disk(platform) == []
    (held,) = platform.approvals.held()
    assert ("ada@example.org" in held.request.binding.arguments, len(held.request.binding.exact)) == (True, 64)


def test_what_is_denied_leaves_no_secret_behind_and_the_run_is_told_so(clerk, desk, platform):
    ran = clerk.start("note it")
    answer_all(clerk, granted=False)
    assert on_disk(platform) == []
    desk.shown = {}  # what it read is gone, and what is kept of it has no secret
    told = clerk.resume(ran.run).result
    assert (told["stage"], "was refused" in told["reason"], desk.done) == ("approve", True, [])


@pytest.mark.parametrize("is_known", [True, False])
def test_a_yes_that_was_used_by_a_process_that_then_died_does_nothing_twice(clerk, desk, platform, is_known):
    ran = clerk.start("note it")
    answer_all(clerk)
    (held,) = platform.approvals.held()
    platform.approvals.consume(held.request.id, held.request.binding.digest, at=platform.clock.wall())
    assert on_disk(platform) == []
    desk.shown = desk.shown if is_known else {}
    again = clerk.resume(ran.run)
    assert desk.done == []
    if is_known:  # it is asked for again, since it is the same to the byte
        assert (again.state, answer_all(clerk), clerk.resume(ran.run).state) == (WAITING, 1, DONE)
        assert desk.done == [f"use {KEY} for ada@example.org"]
    else:
        assert (again.result["stage"], "taken out" in again.result["reason"]) == ("validate", True)


@pytest.mark.parametrize("is_known", [True, False])
def test_what_was_done_before_its_process_died_is_told_and_not_done_again(clerk, desk, platform, is_known):
    ran = clerk.start("note it")
    answer_all(clerk)
    with pytest.raises(Died):
        replace(clerk, platform=replace(platform, runs=DiesBeforeItIsNoted(platform.runs))).resume(ran.run)
    desk.shown = desk.shown if is_known else {}
    again = clerk.resume(ran.run, anyway=True).result
    assert (again["repeated"], len(desk.done)) == (True, 1)
    assert (KEY in again["result"], "[redacted key" in again["result"]) == (False, True)
    assert on_disk(platform) == []


def test_a_call_that_comes_again_is_known_to_the_byte(clerk, desk, platform):
    gate = agent_at(platform, desk, note_it, policy=POLICY).gate("run-1", platform.clock.wall())
    first, again = (gate.call("note", {"text": f"use {KEY}"}, call_id="one") for _ in range(2))
    other = gate.call("note", {"text": f"use {KEY[:-1]}e"}, call_id="one")
    assert (first.result, again.repeated) == (f"noted use {KEY}", True)
    assert "another call before" in other.reason
    assert (len(desk.done), on_disk(platform)) == (1, [])


def test_a_decision_says_that_something_was_taken_out_and_keeps_to_whom_it_goes(desk, platform):
    gate = agent_at(platform, desk, note_it).gate("run-1", platform.clock.wall())
    gate.call("note", {"text": f"password=hunter22 for ada@example.org, {KEY}"})
    (kept,) = platform.decisions.decisions("run-1")
    mark = redactor_of(platform.project.home).text(KEY)
    assert (kept.redacted, mark in kept.arguments, "ada@example.org" in kept.arguments) == (True, True, True)
    assert kept.situation["arguments"] == [f"text={json.loads(kept.arguments)['text']}"]
    assert on_disk(platform) == []


def test_what_was_taken_out_is_judged_again_only_by_policies_that_ask_about_no_arguments(clerk, platform):
    clerk.gate("run-1", platform.clock.wall()).call("note", {"text": KEY})
    decisions, tools, policy = platform.decisions.decisions(), clerk.agent.tools, clerk.agent.policy
    asks = Policy({"a": '@id("b") permit(principal, action, resource) when { context.arguments.contains("text=b") };'})
    assert backtest(decisions, tools, before=policy, after=policy).judged == 1
    found = backtest(decisions, tools, before=policy, after=asks)
    assert (found.judged, set(found.not_judged.values())) == (0, {SECRET_OUT})


def test_what_people_say_of_a_call_leaves_no_secret_behind(clerk, platform):
    clerk.start("note it")
    (held,) = platform.approvals.held()
    assert answer_approval(platform, held.request.id, granted=False, otherwise="ben", note=f"not with {KEY}").counts
    intent, before = Intent("key-1", "note", json.dumps({"text": KEY}), "run-1", "b" * 64), NOON - timedelta(days=1)
    platform.effects.start(intent, at=before, until=before)
    settled = settle_effect(platform, "key-1", done=True, note=f"seen with {KEY}", otherwise="ben", result=[KEY])
    assert (settled.counts, platform.effects.entries()[0].intent.digest) == (True, intent.digest)
    assert on_disk(platform) == []


def asked_with_a_secret(tmp_path, **settings):
    """A store in which a call waits that has a secret in its arguments and in the reason for it."""
    store = SQLiteApprovalStore(tmp_path / "approvals.db", secrets=secrets_out_of(tmp_path), **settings)
    binding = replace(BINDING, arguments=json.dumps({"password": "hunter-two", "to": "bob"}))
    store.ask(replace(request_of("a", binding=binding), reason=f"it needs {KEY}"))
    return store, binding


def in_files(tmp_path, text: str) -> bool:
    return any(text.encode() in file.read_bytes() for file in tmp_path.glob("approvals*"))


def test_what_expires_is_forgotten_by_whoever_looks_next(tmp_path):
    at = [NOON]
    store, binding = asked_with_a_secret(tmp_path, now=lambda: at[0])
    store.answer("a", granted_by("anna"))
    assert store.held("a")[0].request.binding == binding
    assert (in_files(tmp_path, "hunter-two"), in_files(tmp_path, KEY)) == (True, False)
    at[0] = LATER
    (held,) = store.held("a")
    assert (held.request.binding.digest, in_files(tmp_path, "hunter-two")) == (binding.digest, False)


def test_an_approval_lets_exactly_its_call_through_and_is_then_forgotten(tmp_path):
    store, binding = asked_with_a_secret(tmp_path)
    store.answer("a", replace(granted_by("anna"), note=f"I gave it {KEY}"))
    assert isinstance(store.consume("a", replace(binding, arguments="{}").digest, at=NOON), Blocked)
    assert isinstance(store.consume("a", binding.digest, at=LATER - MOMENT), Passed)
    assert isinstance(store.consume("a", binding.digest, at=NOON), Blocked)
    assert not any(in_files(tmp_path, one) for one in ("hunter-two", KEY))


def test_what_a_process_that_was_killed_left_in_the_log_is_gone_when_the_next_one_opens_it(tmp_path):
    store, _ = asked_with_a_secret(tmp_path)
    with closing(sqlite3.connect(store.path)) as reader:  # holds the log open, as one that is read for long
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM approvals").fetchall()
        store.answer("a", Answer("anna", granted=False, at=NOON))
        assert in_files(tmp_path, "hunter-two")
        reader.execute("COMMIT")
        SQLiteApprovalStore(store.path).held()
        assert not in_files(tmp_path, "hunter-two")


def test_a_store_of_before_is_opened_and_forgets_what_can_be_used_no_more(tmp_path):
    old = SQLiteApprovalStore(tmp_path / "approvals.db")
    for id in ("used", "waits"):
        old.ask(request_of(id, binding=replace(BINDING, arguments=json.dumps({"password": f"hunter-{id}"}))))
    old.answer("used", granted_by("anna"))
    old.consume("used", old.held("used")[0].request.binding.digest, at=NOON)
    with closing(sqlite3.connect(old.path)) as file:
        file.executescript("DROP INDEX exact_approvals; ALTER TABLE approvals DROP COLUMN exact_until;")
        file.execute("PRAGMA user_version = 1")
    store = SQLiteApprovalStore(old.path, secrets=secrets_out_of(tmp_path), now=lambda: NOON)
    assert [held.state(NOON) for held in store.held()] == ["used", "pending"]
    assert [in_files(tmp_path, f"hunter-{id}") for id in ("used", "waits")] == [False, True]
    assert isinstance(store.answer("waits", Answer("anna", False, NOON + timedelta(minutes=1))), Passed)
    assert not in_files(tmp_path, "hunter-waits")
