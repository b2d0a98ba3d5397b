from dataclasses import replace

import pytest

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.chat_model import WRONG_MODEL, ChatError, Completion, Usage
from ops_pipelines.llmops.provider_pin import REPORT, ProviderPin, check_answer, judge_answer

PIN = ProviderPin("openai", "desk", answers_as="desk-2026-01-15", fingerprint="fp_1")
ANSWER = Completion("yes", "desk-2026-01-15", Usage(1, 1), "stop", 1.0, fingerprint="fp_1")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (ANSWER, Passed),
        (replace(ANSWER, model="desk-2026-04-20"), Blocked),
        (replace(ANSWER, model="desk"), Blocked),
        (replace(ANSWER, fingerprint="fp_2"), Blocked),
        (replace(ANSWER, fingerprint=None), NotEvaluated),
        (replace(ANSWER, model=""), NotEvaluated),
    ],
)
def test_an_answer_is_from_what_was_pinned_or_not_or_nobody_can_tell(answer, verdict):
    assert isinstance(judge_answer(PIN, answer), verdict)


def test_a_fingerprint_that_is_not_pinned_is_not_compared():
    assert isinstance(judge_answer(replace(PIN, fingerprint=None), ANSWER), Passed)


@pytest.mark.parametrize("answer", [replace(ANSWER, model="other"), replace(ANSWER, model="")])
def test_what_did_not_pass_is_refused_unless_the_policy_is_to_report(answer):
    with pytest.raises(ChatError) as told:
        check_answer(PIN, answer)
    assert told.value.kind == WRONG_MODEL
    assert check_answer(replace(PIN, moved=REPORT), answer) == answer


def test_any_change_of_a_pin_changes_its_id_and_json_does_not():
    changes = [{"provider": "lab"}, {"model": "m"}, {"answers_as": None}, {"fingerprint": "x"}, {"moved": REPORT}]
    assert len({PIN.id, *(replace(PIN, **change).id for change in changes)}) == 6
    assert ProviderPin.from_json(PIN.to_json()) == PIN


@pytest.mark.parametrize("settings", [{"model": ""}, {"provider": ""}, {"moved": "refuze"}])
def test_a_pin_that_names_nobody_or_knows_no_such_policy_is_refused(settings):
    with pytest.raises(ConfigError):
        replace(PIN, **settings)
    with pytest.raises(DataError):
        ProviderPin.from_json({"model": "m"})
