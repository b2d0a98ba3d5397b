"""A policy at work: the Guards of a system. What fails or cannot tell does not pass."""

from collections.abc import Mapping, Sequence

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.llmops.guardrail import CONTEXT, INPUT, Exchange, Guarded
from ops_pipelines.llmops.guards.check import MOST_CHARS, Check
from ops_pipelines.llmops.guards.policy import BLOCK, DROP, Policy, Rule
from ops_pipelines.llmops.guards.policy_text import check_rules
from ops_pipelines.llmops.passages import Passage


class PolicyGuards:
    """The Guards that a policy describes, with the checks that it names; ConfigError for one that is not among them."""

    def __init__(self, policy: Policy, checks: Mapping[str, Check]) -> None:
        check_rules(policy, checks)
        self._policy, self._checks = policy, checks

    @property
    def refusal(self) -> str:
        return self._policy.refusal

    @property
    def digest(self) -> str:
        """The digest of the policy."""
        return self._policy.digest

    def judge(self, where: str, exchange: Exchange) -> Guarded:
        findings: dict[str, Verdict] = {}
        stopping: dict[str, Verdict] = {}
        dropped: list[Passage] = []
        for rule in self._policy.at(where):
            found = self._found(rule, exchange)
            findings[rule.name] = _together([verdict for _, verdict in found])
            hit = [(passage, verdict) for passage, verdict in found if not isinstance(verdict, Passed)]
            if rule.action == BLOCK and hit:
                stopping[rule.name] = findings[rule.name]
            elif rule.action == DROP:
                dropped += [passage for passage, _ in hit if passage is not None and passage not in dropped]
        return Guarded(_stopped(stopping), findings, tuple(dropped))

    def _found(self, rule: Rule, exchange: Exchange) -> list[tuple[Passage | None, Verdict]]:
        """What a rule finds in each text of its place: every passage, or the question, or the answer."""
        if rule.where == CONTEXT:
            return [(passage, self._judged(rule, passage.text, exchange)) for passage in exchange.passages]
        return [(None, self._judged(rule, exchange.question if rule.where == INPUT else exchange.answer, exchange))]

    def _judged(self, rule: Rule, text: str, exchange: Exchange) -> Verdict:
        try:
            if len(text) > MOST_CHARS:
                return NotEvaluated(f"the text has {len(text):,} characters, and {MOST_CHARS:,} are judged")
            check = self._checks[rule.check]
            verdict = check.judge(text, exchange, check.with_defaults(rule.settings))
        except Exception as error:  # whatever broke in a check, what it did not judge does not pass
            return NotEvaluated(f"{rule.check} failed: {type(error).__name__}: {error}")
        return verdict if isinstance(verdict, Passed | Blocked | NotEvaluated) else _no_verdict(rule)


def _no_verdict(rule: Rule) -> Verdict:
    return NotEvaluated(f"{rule.check} gave no verdict")


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on several texts: Blocked where one is, else NotEvaluated where one is."""
    blocked = tuple(reason for one in verdicts if isinstance(one, Blocked) for reason in one.reasons)
    if blocked:
        return Blocked(blocked)
    unjudged = [one for one in verdicts if isinstance(one, NotEvaluated)]
    if unjudged:
        return unjudged[0]
    return verdicts[0] if len(verdicts) == 1 else Passed({"texts": len(verdicts)})


def _stopped(stopping: Mapping[str, Verdict]) -> Verdict:
    reasons = tuple(f"{name}: {reason}" for name, found in stopping.items() for reason in reasons_of(found))
    if any(isinstance(found, Blocked) for found in stopping.values()):
        return Blocked(reasons)
    return NotEvaluated("; ".join(reasons).replace("not evaluated: ", "")) if reasons else Passed()
