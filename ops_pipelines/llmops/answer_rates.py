"""How answering went: how many questions got an error in place of an answer, and how many a guardrail stopped."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.answer_log import OUTCOMES, OVER_BUDGET, STOPPED
from ops_pipelines.llmops.call_log import ABANDONED, ANSWERED

ERRORS = OUTCOMES - {ANSWERED, STOPPED, OVER_BUDGET, ABANDONED}
"""The outcomes that are a failure of ours or of a provider. A budget's is what the budget is for, and a caller's his own."""


@dataclass(frozen=True, slots=True)
class RateRule:
    """Which shares of questions may fail, and may be stopped; fewer questions than `least` are not judged."""

    most_failed: float = 0.02
    most_stopped: float = 0.2
    least: int = 20

    def __post_init__(self) -> None:
        check_settings(
            self,
            "answering",
            most_failed=(0 <= self.most_failed <= 1, "a share from 0 to 1"),
            most_stopped=(0 <= self.most_stopped <= 1, "a share from 0 to 1"),
            least=(self.least >= 1, "at least 1"),
        )


def judge_errors(outcomes: Iterable[str], rule: RateRule) -> Verdict:
    """Whether no more questions failed than may; the evidence counts each outcome."""
    counts = Counter(outcomes)
    failed = {name: count for name, count in sorted(counts.items()) if name in ERRORS}
    words = ", ".join(f"{count} {name}" for name, count in failed.items())
    return _judge(counts, sum(failed.values()), rule.most_failed, rule, f"failed ({words})")


def judge_stopped(outcomes: Iterable[str], rule: RateRule) -> Verdict:
    """Whether guardrails stopped no more questions than they may; the evidence counts each outcome."""
    counts = Counter(outcomes)
    return _judge(counts, counts[STOPPED], rule.most_stopped, rule, "were stopped by a guardrail")


def _judge(counts: Counter[str], found: int, most: float, rule: RateRule, what: str) -> Verdict:
    asked = counts.total()
    evidence = {"questions": asked, **dict(sorted(counts.items()))}
    if asked < rule.least:
        return NotEvaluated(f"{asked} questions are fewer than {rule.least}", evidence)
    if found > most * asked:
        return Blocked((f"{found} of {asked} questions {what}, and {most:.1%} may",), evidence)
    return Passed(evidence)
