import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import (
    Blocked,
    NotEvaluated,
    Passed,
    Verdict,
    name_of,
    reasons_of,
    verdict_from_json,
    verdict_to_json,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
EVIDENCE = st.dictionaries(st.text(), VALUES, max_size=3)
VERDICTS = (
    st.builds(Passed, EVIDENCE)
    | st.builds(Blocked, st.lists(st.text(), min_size=1, max_size=3).map(tuple), EVIDENCE)
    | st.builds(NotEvaluated, st.text() | st.just("not evaluated: twice"), EVIDENCE)
)


@settings(max_examples=25, deadline=None)
@given(VERDICTS)
def test_a_verdict_survives_json(verdict: Verdict) -> None:
    assert verdict_from_json(json.loads(json.dumps(verdict_to_json(verdict)))) == verdict


@settings(max_examples=15, deadline=None)
@given(VERDICTS)
def test_only_passed_has_no_reason(verdict: Verdict) -> None:
    assert (not reasons_of(verdict)) == isinstance(verdict, Passed) == (name_of(verdict) == "passed")


def test_blocked_without_a_reason_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one reason"):
        Blocked(())


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"verdict": "passed"},
        {"verdict": "passed", "reasons": ["but"], "evidence": {}},
        {"verdict": "blocked", "reasons": [], "evidence": {}},
        {"verdict": "not evaluated", "reasons": [], "evidence": {}},
        {"verdict": "fine", "reasons": [], "evidence": {}},
    ],
)
def test_a_damaged_record_is_an_error_and_never_a_pass(record: dict[str, object]) -> None:
    with pytest.raises(DataError, match="stored verdict cannot be read"):
        verdict_from_json(record)
