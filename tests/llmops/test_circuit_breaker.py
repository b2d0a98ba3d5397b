import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops import chat_model as kinds
from ops_pipelines.llmops.chat_model import ChatError
from ops_pipelines.llmops.circuit_breaker import CLOSED, HALF_OPEN, OPEN, BreakerRule, Breakers, Circuit, CircuitBreaker
from ops_pipelines.llmops.fallback import Choice, FallbackChat
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.testing.chat_model import ScriptedChat, question
from ops_pipelines.testing.provider_script import STATUS, WRONG_MODEL, Fault, ProviderScript

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
RULE = BreakerRule(consecutive=3, share=0.5, over_calls=10, rest=timedelta(seconds=30))


def after(*calls: bool, rule: BreakerRule = RULE) -> CircuitBreaker:
    breaker = CircuitBreaker(rule)
    for good in calls:
        breaker.admit(NOON)
        breaker.tell(good, NOON)
    return breaker


def test_opens_after_failures_in_a_row_and_not_before():
    assert after(False, False).admit(NOON)
    assert not after(True, False, False, False).admit(NOON)


def test_opens_at_a_share_of_failures_that_never_came_in_a_row():
    assert after(*[True, False] * 4).circuit.state == CLOSED
    assert after(*[True, False] * 5).circuit.state == OPEN


def test_after_its_rest_one_call_tries_it_and_the_others_are_turned_away():
    breaker, rested = after(False, False, False), NOON + RULE.rest
    assert not breaker.admit(rested - timedelta(microseconds=1))
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: breaker.admit(rested), range(40))) == 1


@pytest.mark.parametrize(("good", "state"), [(True, CLOSED), (False, OPEN)])
def test_the_call_that_tries_it_closes_the_circuit_or_opens_it_again(good, state):
    breaker = after(False, False, False)
    breaker.admit(NOON + RULE.rest)
    assert breaker.circuit.state == HALF_OPEN
    breaker.tell(good, NOON + RULE.rest)
    assert breaker.circuit.state == state


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another():
    breaker, tried = after(False, False, False), NOON + RULE.rest
    assert breaker.admit(tried)
    assert (breaker.admit(tried + RULE.trial / 2), breaker.admit(tried + RULE.trial)) == (False, True)


def test_a_call_that_began_before_it_opened_does_not_close_it():
    breaker = after(False, False, False)
    breaker.tell(True, NOON)
    assert breaker.circuit.state == OPEN


@given(st.lists(st.booleans(), max_size=60))
def test_whatever_came_before_it_is_open_right_after_failures_in_a_row(calls):
    circuit = Circuit()
    for good in [*calls, False, False, False]:
        circuit = circuit.after(good, RULE, NOON)
    assert not circuit.admit(RULE, NOON)[0]


def test_each_release_has_circuits_of_its_own():
    breakers = Breakers(BreakerRule(consecutive=1))
    breakers.of("a", "openai").tell(False, NOON)
    assert [breakers.of(*of).admit(NOON) for of in (("a", "openai"), ("b", "openai"), ("a", "lab"))] == [
        False,
        True,
        True,
    ]


def test_a_rule_that_never_opens_or_never_rests_is_refused():
    with pytest.raises(ConfigError, match="consecutive"):
        BreakerRule(consecutive=0)


def chats(*faults: Fault) -> tuple[ScriptedChat, ScriptedChat]:
    first = ScriptedChat(ProviderPin("openai", "desk-1"), ProviderScript(faults=faults))
    return first, ScriptedChat(ProviderPin("lab", "small-1"))


def fallback(*chats: ScriptedChat, rule: BreakerRule = RULE) -> FallbackChat:
    return FallbackChat([Choice(chat, chat.pin.model, CircuitBreaker(rule)) for chat in chats], lambda: NOON)


@pytest.mark.parametrize("fault", [Fault(STATUS, status=503), Fault(STATUS, status=429), Fault(WRONG_MODEL)])
def test_the_next_provider_answers_with_its_own_model_where_the_first_one_fails(fault):
    choice, answer = asyncio.run(fallback(*chats(fault)).answered(question("desk-1")))
    assert (choice.chat.provider, answer.model) == ("lab", "small-1")


@pytest.mark.parametrize("status", [400, 401])
def test_a_request_that_is_at_fault_is_not_asked_elsewhere(status):
    first, second = chats(Fault(STATUS, status=status))
    chat = fallback(first, second, rule=BreakerRule(consecutive=1))
    with pytest.raises(ChatError):
        asyncio.run(chat.complete(question("desk-1")))
    assert (second.requests, chat.choices[0].breaker.circuit.state) == ([], CLOSED)


def test_a_provider_at_rest_is_not_asked():
    first, second = chats(Fault(STATUS, status=503, times=99))
    chat = fallback(first, second)
    for _ in range(6):
        asyncio.run(chat.complete(question("desk-1")))
    assert (len(first.requests), len(second.requests)) == (3, 6)


def test_where_nobody_answers_each_failure_is_named():
    first, _ = chats(Fault(STATUS, status=503, times=9))
    second = ScriptedChat(ProviderPin("lab", "small-1"), first.script)
    with pytest.raises(ChatError, match=r"openai: .*; lab: ") as told:
        asyncio.run(fallback(first, second).complete(question("desk-1")))
    assert told.value.kind == kinds.UNAVAILABLE
