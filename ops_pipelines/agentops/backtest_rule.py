"""Whether a new policy may ship by what it would have said to the calls of the past: nothing that was held back is let go.

A call that was denied and would be asked about or allowed, or was asked about and would be allowed, is loosened. What
would be held back from now on is tightened, and is for people to look at.
"""

from collections import Counter
from dataclasses import dataclass

from ops_pipelines.agentops.backtest import Backtest, Changed
from ops_pipelines.agentops.policy import ALLOW, ASK, DENY
from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

_FREEDOM = {DENY: 0, ASK: 1, ALLOW: 2}
_WORDS = {DENY: "denied", ASK: "asked about", ALLOW: "allowed"}


@dataclass(frozen=True, slots=True)
class BacktestRule:
    """How many recorded calls there have to be before they say anything; 0 asks for none."""

    least: int = 0

    def __post_init__(self) -> None:
        check_settings(self, "backtest", least=(self.least >= 0, "a number from 0"))


def is_loosened(change: Changed) -> bool:
    """Whether a call would be held back less than before."""
    return _FREEDOM[change.after.outcome] > _FREEDOM[change.before.outcome]


def judge_backtest(found: Backtest, rule: BacktestRule) -> Verdict:
    """Passed where no call would be loosened; the reasons count those that would, by tool and by what changes."""
    loosened = [change for change in found.changed if is_loosened(change)]
    evidence = {
        "judged": found.judged,
        "changed": len(found.changed),
        "loosened": len(loosened),
        "not_judged": len(found.not_judged),
    }
    if found.judged < rule.least:
        return NotEvaluated(f"{found.judged} recorded calls are fewer than {rule.least}", evidence)
    if not loosened:
        return Passed(evidence)
    first: dict[tuple[str, str, str], str] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    for change in loosened:
        kind = (change.logged.tool, change.before.outcome, change.after.outcome)
        counts[kind] += 1
        first.setdefault(kind, change.logged.id)
    reasons = (
        f"{count} recorded calls of {tool} would be {_WORDS[after]} where they were {_WORDS[before]}, "
        f"the first {first[tool, before, after]}"
        for (tool, before, after), count in sorted(counts.items())
    )
    return Blocked(tuple(reasons), evidence)
