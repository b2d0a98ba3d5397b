import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.answer_log import (
    OUTCOMES,
    answer_id,
    day_of_answer,
    outcome_of,
    outcome_of_answer,
)
from ops_pipelines.llmops.budget import BudgetSpent
from ops_pipelines.llmops.chat_model import KINDS, ChatError
from ops_pipelines.testing.answer_log import MONDAY, answered_of


def said(**facts):
    return {"expected": "an answer", "action": "Ask again", **facts}


@given(st.from_regex(r"[a-z][a-z_/]*", fullmatch=True), st.text("0123456789abcdef", min_size=1, max_size=12))
def test_an_id_tells_its_system_and_its_day_whatever_the_system_is_called(system, unique):
    assert day_of_answer(answer_id(system, "ab" * 32, MONDAY, unique)) == (system, "2026-03-02")


@pytest.mark.parametrize("id", ["", "flight_delay/online/7f/ab12", "models:/flight_delay/3", "a/answered/x/y/z"])
def test_what_is_no_id_of_an_answer_tells_no_day(id):
    assert day_of_answer(id) is None


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_error_of_a_provider_is_an_outcome_of_its_kind(kind):
    assert outcome_of(ChatError("nothing came", **said(kind=kind))) == kind


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BudgetSpent("too little is left", **said()), "over_budget"),
        (asyncio.CancelledError(), "abandoned"),
        (DataError("another embedder", **said()), "failed"),
    ],
)
def test_every_other_error_has_an_outcome_of_its_own(error, outcome):
    assert outcome_of(error) == outcome
    assert outcome in OUTCOMES


def test_what_a_guardrail_refused_was_stopped_and_not_answered():
    assert outcome_of_answer(answered_of("a").answer) == "answered"
    assert outcome_of_answer(answered_of("a", refused_by=("a secret",)).answer) == "stopped"
