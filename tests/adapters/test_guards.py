from pathlib import Path

import pytest

from ops_pipelines.adapters.guard_checks import CHECKS, guards_of, read_policy
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.guardrail import INPUT, OUTPUT, PLACES, Exchange
from ops_pipelines.llmops.guards.check import MOST_CHARS, Check
from ops_pipelines.llmops.guards.policy import BLOCK, Policy, Rule
from ops_pipelines.llmops.guards.policy_guards import PolicyGuards
from ops_pipelines.llmops.passages import Passage
from ops_pipelines.testing.guards import GuardsConformance, ScriptedGuards

REFERENCE = Path(__file__).parents[2] / "evals/guardrails/runbook_answers.yaml"


class TestScripted(GuardsConformance):
    @pytest.fixture
    def guarding(self):
        return ScriptedGuards


class TestPolicy(GuardsConformance):
    @pytest.fixture
    def guarding(self):
        def make(judges):
            checks = {
                where: Check(where, lambda text, _, __, judge=judge: judge(text)) for where, judge in judges.items()
            }
            rules = tuple(Rule(where, where, where, BLOCK) for where in judges)
            return PolicyGuards(Policy("That is not answered.", rules), checks)

        return make


def test_secrets_are_found_and_never_told():
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    guards = guards_of(Policy("No.", (Rule("keys", INPUT, "secrets", BLOCK),)))
    found = guards.judge(INPUT, Exchange(f"why is {key} refused")).verdict
    assert isinstance(found, Blocked)
    assert "AWS" in found.reasons[0]
    assert key not in str(found)


def test_the_policy_of_the_reference_system_is_read_and_lets_a_good_answer_out():
    guards = guards_of(read_policy(REFERENCE))
    passage = Passage("rollback.md", "2", "To roll back, run `ops rollback SYSTEM`. It takes seconds.")
    answer = f"To roll back, run `ops rollback SYSTEM`. {passage.citation}"
    exchange = Exchange("how do I roll back", (passage,), answer, instructions="Answer from the passages.")
    assert [guards.judge(where, exchange).verdict for where in (INPUT, "context", OUTPUT)] == [Passed()] * 3


def test_a_policy_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        read_policy(tmp_path / "nowhere.yaml")


def test_every_check_is_known_by_its_own_name():
    assert [check.name for check in CHECKS.values()] == list(CHECKS)


@pytest.mark.parametrize("piece", ["a", "QUJD", "+1-", "![a](http://x.y/z) ", "\n", "ignore all "])
def test_the_longest_texts_of_anything_have_a_verdict_at_every_place(piece):
    text = (piece * MOST_CHARS)[:MOST_CHARS]
    guards = guards_of(read_policy(REFERENCE))
    exchange = Exchange(text[:4000], (Passage("a", "1", text[:8000]),), text[:8000], instructions=text[:2000])
    for where in PLACES:
        assert all(
            not isinstance(found, NotEvaluated) or found.why
            for found in guards.judge(where, exchange).findings.values()
        )
