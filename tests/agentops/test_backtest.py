from ops_pipelines.agentops.backtest import NOT_ASKED, Backtest, backtest, situation_from
from ops_pipelines.agentops.backtest_rule import BacktestRule, judge_backtest
from ops_pipelines.agentops.policy import Policy, Situation
from ops_pipelines.agentops.tool_function import tool_of
from ops_pipelines.core.verdict import NotEvaluated, Passed
from ops_pipelines.testing.gates import POLICY, gate_of, parts_of

STRICTER = '@id("no notes") forbid(principal, action, resource == Tool::"note");'


def note(text: str) -> str:
    return text


def look(week: str) -> str:
    return week


def recorded():
    """A gate's parts after a read, an effect, and a call that was refused before it came to the policy."""
    parts = parts_of(tool_of(look, effect="read"), tool_of(note, effect="write"))
    gate = gate_of(parts)
    for tool, arguments in (("look", {"week": "w"}), ("note", {"text": "t"}), ("note", {"text": 1})):
        gate.call(tool, arguments)
    return parts


def test_the_decisions_that_another_policy_would_change_are_named_with_who_says_so():
    parts = recorded()
    stricter = Policy({"policy.cedar": POLICY, "more.cedar": STRICTER})
    found = backtest(parts.log.decisions(), parts.registry, before=parts.policy, after=stricter)
    (changed,) = found.to_json()["changed"]
    assert (found.judged, found.not_judged) == (2, {"call-3": NOT_ASKED})
    assert (changed["tool"], changed["before"]["outcome"], changed["after"]["by"]) == ("note", "allow", ["no notes"])


def test_the_same_policy_changes_nothing():
    parts = recorded()
    assert backtest(parts.log.decisions(), parts.registry, before=parts.policy, after=parts.policy).changed == ()


def test_a_situation_is_read_back_from_what_was_logged():
    situation = Situation("oncall", "acme", "staging", 2, ("a=b",), 500, ("id",), ("destination",), True, ("week",))
    assert situation_from("oncall", situation.to_context(approved=False)) == situation
    assert situation_from("oncall", Situation("oncall").to_context(approved=True)).amount_cents is None


def test_what_would_be_let_go_is_refused_by_its_tool_and_what_is_only_tightened_passes():
    parts = recorded()
    stricter = Policy({"policy.cedar": POLICY, "more.cedar": STRICTER})
    tightened = backtest(parts.log.decisions(), parts.registry, before=parts.policy, after=stricter)
    loosened = backtest(parts.log.decisions(), parts.registry, before=stricter, after=parts.policy)
    assert isinstance(judge_backtest(tightened, BacktestRule()), Passed)
    assert (
        "1 recorded calls of note would be allowed where they were denied"
        in judge_backtest(loosened, BacktestRule()).reasons[0]
    )


def test_too_few_recorded_calls_say_nothing():
    assert isinstance(judge_backtest(Backtest(3, (), {}), BacktestRule(least=4)), NotEvaluated)
