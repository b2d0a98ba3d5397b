"""What an agent's YAML says beside its program, tools and policy: money, evaluation, backtest, replays, and its days.

Each rule is a frozen value of the domain; here it only gets a place in YAML, with the domain's own defaults.
"""

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal

import dagster as dg
from pydantic import Field

from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.backtest_rule import BacktestRule
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.evaluation.scores import SUCCESS
from ops_pipelines.agentops.evaluation.verdicts import FloorRule
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.agentops.regression import RegressionRule
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops.evals.comparison import CompareRule

_LOOPS, _LIMITS, _MONEY = LoopRule(), Limits(), Budgets()
Strictness = Literal["block", "report"]
"""What becomes of a finding: the gate stays shut, or people are shown it."""


class Breaker(dg.Model, dg.Resolvable):
    """When a run is stopped; see `ops_pipelines.agentops.breaker.LoopRule`."""

    repeats: int = _LOOPS.repeats
    errors: int = _LOOPS.errors
    steps: int = _LOOPS.steps
    wall_seconds: float = _LOOPS.wall.total_seconds()
    polls: list[str] = Field(default_factory=list)

    def rule(self) -> LoopRule:
        """The rule; ConfigError for one that cannot be."""
        settings = self.model_dump(exclude={"wall_seconds", "polls"})
        return LoopRule(**settings, wall=timedelta(seconds=self.wall_seconds), polls=tuple(self.polls))


class CallLimits(dg.Model, dg.Resolvable):
    """How long a tool may take, how much it may carry, and how long a yes counts; see `agentops.gate_parts.Limits`."""

    tool_seconds: float = _LIMITS.tool_seconds
    result_bytes: int = _LIMITS.result_bytes
    argument_bytes: int = _LIMITS.argument_bytes
    approval_seconds: float = _LIMITS.approval.total_seconds()

    def limits(self) -> Limits:
        """The limits."""
        settings = self.model_dump(exclude={"approval_seconds"})
        return Limits(**settings, approval=timedelta(seconds=self.approval_seconds))


class AgentBudgets(dg.Model, dg.Resolvable):
    """How far one run may go; see `ops_pipelines.agentops.agent.Budgets`. Dollars are texts or numbers, and exact."""

    limit_usd: str | float = str(_MONEY.limit_usd)
    breaker: Breaker = Field(default_factory=Breaker)
    limits: CallLimits = Field(default_factory=CallLimits)
    prices: dict[str, str | float] = Field(default_factory=dict)

    def budgets(self) -> Budgets:
        """The budgets; ConfigError for some that cannot be."""
        prices = {name: _dollars(name, usd) for name, usd in self.prices.items()}
        return Budgets(_dollars("limit_usd", self.limit_usd), self.breaker.rule(), self.limits.limits(), prices)


def _dollars(name: str, said: str | float) -> Decimal:
    try:
        return Decimal(str(said))
    except InvalidOperation:
        raise ConfigError(
            f"{name} under `budgets` is {said!r}", expected="dollars, such as 0.50", action=f"Set {name} in the YAML"
        ) from None


class Backtest(dg.Model, dg.Resolvable):
    """Which recorded decisions a new policy is asked about: those of so many days, `least` of them at least.

    A decision that would be `loosened` keeps the gate shut, or is shown.
    """

    days: int = Field(default=30, ge=1)
    least: int = 0
    loosened: Strictness = "block"

    def rule(self) -> BacktestRule:
        """How the decisions are judged."""
        return BacktestRule(self.least)

    @property
    def blocks(self) -> bool:
        """Whether a decision that would be loosened keeps the gate shut."""
        return self.loosened == "block"


class Replays(dg.Model, dg.Resolvable):
    """Which recorded runs a release is held against: the files of a folder, and those of the last `days`.

    `runs` is the folder from the project's root; without it evals/agents/<name>/runs. A run that would be `altered` keeps
    the gate shut, or is shown.
    """

    least: int = 0
    days: int = Field(default=0, ge=0)
    runs: str | None = None
    altered: Strictness = "report"

    def rule(self) -> RegressionRule:
        """How the replays are judged."""
        return RegressionRule(self.least)

    @property
    def blocks(self) -> bool:
        """Whether a run that would be altered keeps the gate shut."""
        return self.altered == "block"


class Evaluation(dg.Model, dg.Resolvable):
    """The tasks that a release has to be good at, how often each is run, and what is good enough.

    `tasks` is a file from the project's root; without it evals/agents/<name>/tasks.yaml. `floors` are the least means of
    scores, `surely` shares below which the true ones must not lie. It may be worse than what is live by `margin`.
    """

    tasks: str | None = None
    repeats: int = Field(default=1, ge=1)
    floors: dict[str, float] = Field(default_factory=lambda: {SUCCESS: 0.8})
    surely: dict[str, float] = Field(default_factory=dict)
    margin: float = CompareRule().margin
    confidence: float = CompareRule().confidence

    def floor_rule(self) -> FloorRule:
        """What it has to come to alone; ConfigError for a score that there is not."""
        return FloorRule(self.floors, self.surely, self.confidence)

    def compare_rule(self) -> CompareRule:
        """How it is held against what is live."""
        return CompareRule(margin=self.margin, confidence=self.confidence)
