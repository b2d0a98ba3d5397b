from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.compaction import judge_compaction, unite
from ops_pipelines.core.fingerprint import digest_table
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.answer_table import (
    ID,
    SAID,
    Cost,
    Outline,
    answers_of_table,
    cost_of,
    outlines_of_table,
    table_of_answers,
)
from ops_pipelines.llmops.call_table import calls_of_table, table_of_calls
from ops_pipelines.testing.answer_log import MONDAY, answered_of
from ops_pipelines.testing.call_log import call_of

AT = st.integers(0, 86_399).map(lambda seconds: MONDAY + timedelta(seconds=seconds))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
ANSWERED = st.builds(
    answered_of,
    st.uuids().map(str),
    at=AT,
    text=TEXTS,
    question=TEXTS,
    outcome=st.sampled_from(["answered", "stopped", "timeout"]),
    usage=st.none(),
    usd=st.none() | st.decimals(0, 10, places=9),
    calls=st.lists(TEXTS, max_size=2).map(tuple),
)


def priced(**usd):
    return {name: call_of(name, usd=None if cost is None else Decimal(cost)) for name, cost in usd.items()}


@settings(deadline=None)  # the first example imports pyarrow
@given(st.lists(ANSWERED, max_size=5))
def test_answers_come_back_from_their_table_as_they_were(answers):
    table = table_of_answers(answers, {})
    assert answers_of_table(table) == tuple(sorted(answers, key=lambda one: one.id))


def test_an_outline_tells_who_asked_when_and_what_became_of_it_without_the_words():
    one = answered_of("a", outcome="timeout", tenant="other", latency_ms=7.5)
    (outline,) = outlines_of_table(table_of_answers([one], {}))
    assert outline == Outline("a", one.caller, one.asked_at, "timeout", 7.5)
    assert outlines_of_table(table_of_answers([], {})) == ()


def test_more_answers_than_fit_into_a_batch_are_one_sorted_table():
    answers = [answered_of(f"{number:05}") for number in reversed(range(2_500))]
    table = table_of_answers(iter(answers), {})
    assert table.column(ID).to_pylist() == [one.id for one in reversed(answers)]


def test_calls_come_back_from_their_table_as_they_were():
    calls = (call_of("a", usd=Decimal("0.000000001")), call_of("b", usage=None, usd=None, outcome="cut"))
    assert calls_of_table(table_of_calls(calls[::-1])) == calls


def test_the_digest_is_the_same_in_every_order_and_no_other_after_a_turn_through_the_lake():
    answers = [answered_of(name) for name in "abc"]
    first, again = (table_of_answers(order, {}) for order in (answers, answers[::-1]))
    assert first.equals(again)
    assert digest_table(first, key=[ID]) == digest_table(table_of_answers(answers_of_table(first), {}), key=[ID])


@pytest.mark.parametrize(
    ("calls", "ledger", "cost"),
    [
        (("one", "two"), priced(one="0.5", two="0.25"), Cost(750_000_000)),
        (("one", "two"), priced(one="0.5", two=None), Cost(500_000_000, 1)),
        (("one",), priced(one=None), Cost(None, 1)),
        (("lost",), {}, Cost(None, 1)),
    ],
)
def test_an_answer_cost_what_all_its_calls_cost_and_what_is_unknown_is_not_nothing(calls, ledger, cost):
    assert cost_of(answered_of("a", calls=calls), ledger) == cost


def test_an_answer_for_which_no_model_was_asked_cost_nothing():
    assert cost_of(answered_of("a", calls=(), usd=None, provider=""), {}) == Cost(0)
    assert cost_of(answered_of("a", calls=(), usd=Decimal(1)), {}) == Cost(10**9)
    assert cost_of(answered_of("a", calls=(), usd=None), {}) == Cost(None, 1)


def test_late_rows_join_those_that_were_compacted_and_compacting_again_changes_nothing():
    early = table_of_answers([answered_of("a"), answered_of("c")], {})
    both = unite(early, table_of_answers([answered_of("b"), answered_of("c")], {}), key=ID)
    assert both.column(ID).to_pylist() == ["a", "b", "c"]
    assert unite(both, early, key=ID).equals(both)


def test_a_log_that_tells_another_answer_of_the_same_id_is_refused():
    one = answered_of("a")
    other = replace(one, answer=replace(one.answer, text="Do nothing."))
    judged = {"key": ID, "said": SAID, "what": "answers", "nothing": "nobody asked"}
    kept = table_of_answers([one], {})
    assert isinstance(judge_compaction(kept, table_of_answers([other], {}), **judged), Blocked)
    assert isinstance(judge_compaction(kept, kept, **judged), Passed)
