"""A recorded run beside its replay with other code."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.divergence import CODE, PROMPT
from ops_pipelines.agentops.recorded_run import portable, read_recording, recording_from_json, recording_to_json
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.regression import RegressionRule, judge_regression, regress
from ops_pipelines.agentops.replay import UNREDACTED, replay
from ops_pipelines.agentops.run_log import Recording, recording_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.testing.agent_program import Investigation, Outside, record
from ops_pipelines.testing.run_log import RUN, MemoryRunLog


def recorded(program=None, writer=None) -> Recording:
    log = MemoryRunLog()
    program = program or Investigation(Outside(), 2)
    record(program, log.append, writer=writer and replace(writer, keep=log.append))
    return recording_of(log, RUN)


def beside(recording: Recording, program, writer=UNREDACTED):
    return regress(recording, program, writer=writer, release="r2")


def test_the_same_code_takes_the_same_turns():
    found = beside(recorded(), Investigation(Outside(), 2))
    assert (found.same, found.words) == (True, "")


def test_other_words_to_a_model_are_seen_at_their_step_with_their_cause():
    found = beside(recorded(), Investigation(Outside(), 2, words="Examine"))
    assert (found.divergence.cause, found.divergence.first.kind) == (PROMPT, "model")


def test_code_that_does_less_is_seen():
    found = beside(recorded(), Investigation(Outside(), 1))
    assert found.divergence.cause == CODE


def test_code_that_does_more_is_seen():
    found = beside(recorded(), Investigation(Outside(), 3))
    assert (found.divergence.cause, found.divergence.second.kind) == (CODE, "memory_read")


def test_a_program_that_goes_on_after_a_missing_answer_is_judged_by_the_first():
    def stubborn(scope):
        for name in ("first", "second"):
            try:
                scope.tool(name, {}, lambda: None)
            except Exception:
                continue

    assert "first" in beside(recorded(), stubborn).words


def test_too_few_recorded_runs_say_nothing():
    assert isinstance(judge_regression([], RegressionRule()), Passed)
    assert isinstance(judge_regression([], RegressionRule(least=1)), NotEvaluated)


def test_one_run_that_would_go_otherwise_is_named():
    recording = recorded()
    found = [beside(recording, Investigation(Outside(), count)) for count in (2, 1)]
    verdict = judge_regression(found, RegressionRule())
    assert isinstance(verdict, Blocked)
    assert RUN in verdict.reasons[0]


def test_a_payload_that_was_shortened_is_not_judged_and_never_a_pass():
    recording = recorded(writer=Writer(lambda entries: None, limit_bytes=40))
    found = beside(recording, Investigation(Outside(), 2))
    assert "shortened" in found.problem
    assert isinstance(judge_regression([found], RegressionRule()), NotEvaluated)


def test_a_recording_comes_back_from_its_text_and_replays_identically():
    recording = recorded()
    again = recording_from_json(recording_to_json(recording), where="a file")
    assert again == recording
    assert replay(again, Investigation(Outside(), 2)).identical


def test_a_recording_that_was_altered_is_refused():
    written = recording_to_json(recorded())
    digest = next(iter(written["payloads"]))
    written["payloads"][digest]["content"] = "another"
    with pytest.raises(DataError, match="altered"):
        recording_from_json(written, where="a file")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": "r", "steps": [], "payloads": {}}', '{"steps": 3}'])
def test_what_is_no_recording_is_refused(text):
    with pytest.raises(DataError, match="cannot be used"):
        read_recording(text, where="a file")


def test_what_was_redacted_with_a_key_replays_where_nobody_has_the_key():
    def program(scope):
        letter = scope.memory("letter", None, lambda: {"to": "anna@example.com", "also": "ben@example.com"})
        return scope.tool("send", {**letter, "from": "desk@example.com"}, lambda: "sent")

    recording = portable(recorded(program, Writer(lambda entries: None, Redactor(key=b"secret"))))
    assert b"[redacted email]" in b"".join(payload.content for payload in recording.payloads.values())
    assert beside(recording, program, Writer(lambda entries: None, Redactor())).same


@given(st.lists(st.sampled_from(["anna@example.com", "ben@example.com", "a word", "4111 1111 1111 1111"])), st.binary())
def test_what_is_portable_is_so_already(words, key):
    def program(scope):
        return scope.tool("send", dict.fromkeys(words, words), lambda: words)

    once = portable(recorded(program, Writer(lambda entries: None, Redactor(key=key))))
    assert portable(once) == once
    assert beside(once, program, Writer(lambda entries: None, Redactor())).same
