import pytest

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.guardrail import CONTEXT, OUTPUT, Exchange
from ops_pipelines.llmops.guards.check import MOST_CHARS, Check
from ops_pipelines.llmops.guards.checks import PURE_CHECKS
from ops_pipelines.llmops.guards.policy import BLOCK, DROP, WARN, Policy, Rule
from ops_pipelines.llmops.guards.policy_guards import PolicyGuards
from ops_pipelines.llmops.guards.policy_text import read_policy_text
from ops_pipelines.llmops.passages import Passage

GOOD = """
refusal: The runbooks do not answer this.
rules:
  - name: no endless answer
    where: output
    check: too_long
    action: block
    settings: {most_characters: 10}
"""


def read(text):
    return read_policy_text("ours", text, PURE_CHECKS)


def mistakes(text):
    with pytest.raises(ConfigError) as raised:
        read(text)
    return [(mistake.line, mistake.message) for mistake in raised.value.facts["mistakes"]]


def test_a_policy_is_read_and_blocks():
    guards = PolicyGuards(read(GOOD), PURE_CHECKS)
    found = guards.judge(OUTPUT, Exchange("why", answer="because it is so"))
    assert found.verdict == Blocked(("no endless answer: 16 characters, and 10 are let through",))


def test_a_policy_is_the_same_after_it_was_stored():
    policy = read(GOOD)
    assert Policy.from_json(policy.to_json()) == policy
    assert Policy.from_json(policy.to_json()).digest == policy.digest
    with pytest.raises(DataError, match="stored policy"):
        Policy.from_json({"rules": []})


def test_what_a_policy_lets_through_decides_its_digest_and_its_description_does_not():
    policy = read(GOOD)
    assert read(f"description: ours\n{GOOD}").digest == policy.digest
    assert read(GOOD.replace("10}", "11}")).digest != policy.digest
    assert read(GOOD.replace("do not answer", "don't answer")).digest != policy.digest


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("check: too_long", "check: too_lang", 6, "Did you mean 'too_long'?"),
        ("where: output", "where: outputs", 5, "Did you mean 'output'?"),
        ("action: block", "action: blok", 7, "Did you mean 'block'?"),
        ("action: block", "action: drop", 7, "only passages can be dropped"),
        ("most_characters: 10", "most_character: 10", 8, "Did you mean 'most_characters'?"),
        ("most_characters: 10", "most_characters: -1", 8, "a whole number above 0"),
        ("most_characters: 10", "most_characters: true", 8, "a whole number above 0"),
        ("    settings: {most_characters: 10}\n", "", 4, "needs the setting `most_characters`"),
        ("    action: block\n", "", 4, "there is no `action`"),
        ("rules:", "rule:", 3, "Did you mean 'rules'?"),
        ("refusal: The runbooks do not answer this.", "refusal: ''", 2, "what a caller is told"),
        ("check: too_long", "check: jailbreak", 5, "looks at input alone"),
    ],
)
def test_each_mistake_is_told_with_its_line(before, after, line, said):
    assert any(at == line and said in message for at, message in mistakes(GOOD.replace(before, after)))


def test_all_mistakes_are_told_at_once():
    found = mistakes(GOOD.replace("output", "outside").replace("too_long", "unknown"))
    assert [line for line, _ in found] == [5, 6]


@pytest.mark.parametrize(
    "text", ["", "- a", "refusal: a\nrules: &x []", "refusal: a\nrefusal: b\nrules: []", "\t", "{"]
)
def test_what_is_no_plain_mapping_is_refused(text):
    with pytest.raises(ConfigError):
        read(text)


def test_two_rules_of_one_name_are_refused():
    rule = GOOD[GOOD.index("  - name") :]
    assert any("two rules" in message for _, message in mistakes(GOOD + rule))


def test_a_policy_with_an_unknown_check_makes_no_guards():
    with pytest.raises(ConfigError, match="too_lang"):
        PolicyGuards(Policy("No.", (Rule("a", OUTPUT, "too_lang", BLOCK),)), PURE_CHECKS)


def guards(action, where=OUTPUT, judge=lambda _, __, ___: Blocked(("hit",))):
    return PolicyGuards(Policy("No.", (Rule("rule", where, "check", action),)), {"check": Check("check", judge)})


def test_a_rule_that_warns_is_told_and_stops_nothing():
    guarded = guards(WARN).judge(OUTPUT, Exchange("why"))
    assert guarded.verdict == Passed()
    assert guarded.findings["rule"] == Blocked(("hit",))


def test_a_hostile_passage_is_dropped_and_the_rest_goes_on():
    good, bad = Passage("a", "1", "good"), Passage("b", "1", "bad")
    judge = lambda text, _, __: Blocked(("hit",)) if text == "bad" else Passed()  # noqa: E731
    guarded = guards(DROP, CONTEXT, judge).judge(CONTEXT, Exchange("why", (good, bad)))
    assert guarded.verdict == Passed()
    assert guarded.dropped == (bad,)
    assert guarded.kept((good, bad)) == (good,)


def test_a_passage_that_could_not_be_judged_is_dropped_too():
    passage = Passage("a", "1", "x" * (MOST_CHARS + 1))
    guarded = guards(DROP, CONTEXT, lambda _, __, ___: Passed()).judge(CONTEXT, Exchange("why", (passage,)))
    assert guarded.dropped == (passage,)


def test_a_text_beyond_the_limit_is_not_evaluated_and_so_is_closed():
    answer = "x" * (MOST_CHARS + 1)
    guarded = guards(BLOCK, judge=lambda _, __, ___: Passed()).judge(OUTPUT, Exchange("why", answer=answer))
    assert isinstance(guarded.verdict, NotEvaluated)


def test_a_check_that_gives_no_verdict_is_no_pass():
    assert isinstance(guards(BLOCK, judge=lambda _, __, ___: True).judge(OUTPUT, Exchange("why")).verdict, NotEvaluated)


def test_bytes_in_place_of_a_text_are_closed():
    guarded = PolicyGuards(read(GOOD), PURE_CHECKS).judge(OUTPUT, Exchange("why", answer=None))
    assert isinstance(guarded.verdict, NotEvaluated)
