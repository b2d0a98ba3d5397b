"""What a prompt's YAML says beside the prompt where it is a system that answers: corpus, provider, guards, money, gate.

Each rule is a frozen value of the domain; here it only gets a place in YAML, with the domain's own defaults.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.components.answer_days import AnswerDays
from ops_pipelines.llmops.budget import Budget
from ops_pipelines.llmops.cost import Price
from ops_pipelines.llmops.evals.compare import CompareRule
from ops_pipelines.llmops.evals.judge import CORRECT
from ops_pipelines.llmops.evals.summary import EvalRule
from ops_pipelines.llmops.probe import ProbeRule
from ops_pipelines.llmops.projected_cost import CostRule
from ops_pipelines.llmops.provider_pin import REFUSE, ProviderPin
from ops_pipelines.llmops.retrieval import HYBRID


class Pin(dg.Model, dg.Resolvable):
    """What answers have to say of themselves; see `ops_pipelines.llmops.provider_pin.ProviderPin`.

    `uses` names a system of ours by whose live release the provider answers: its digest is then the fingerprint.
    """

    answers_as: str | None = None
    fingerprint: str | None = None
    moved: str = REFUSE
    uses: str | None = None


class Spending(dg.Model, dg.Resolvable):
    """A budget; see `ops_pipelines.llmops.budget.Budget`. Dollars are texts or numbers, and exact."""

    name: str
    limit_usd: str | float
    window_hours: float = 24
    of: dict[str, str] = Field(default_factory=dict)
    per: list[str] = Field(default_factory=list)
    alert_share: float = 0.8

    def budget(self) -> Budget:
        """The budget as the domain knows it."""
        settings = self.model_dump(exclude={"window_hours", "limit_usd", "per"})
        window = timedelta(hours=self.window_hours)
        return Budget(limit_usd=Decimal(str(self.limit_usd)), window=window, per=tuple(self.per), **settings)


class Declared(dg.Model, dg.Resolvable):
    """What a model asks for that no price list knows, in dollars for a million tokens."""

    input_usd: str | float
    output_usd: str | float

    def price(self) -> Price:
        """The price as the domain knows it."""
        return Price(Decimal(str(self.input_usd)), Decimal(str(self.output_usd)))


class Cost(dg.Model, dg.Resolvable):
    """How much a request may cost after a change; see `ops_pipelines.llmops.projected_cost.CostRule`."""

    most_times: float | None = 1.5
    most_usd: str | float | None = None

    def rule(self) -> CostRule:
        """The rule as the domain knows it."""
        return CostRule(self.most_times, None if self.most_usd is None else Decimal(str(self.most_usd)))


class Gate(dg.Model, dg.Resolvable):
    """What a candidate has to show on the golden set.

    `least` is the least mean of each score that it names. Against what is live, each of `compared` may be worse by no more
    than the rule's margin; see `ops_pipelines.llmops.evals.compare.CompareRule`.
    """

    least: dict[str, float] = Field(default_factory=dict)
    compared: list[str] = Field(default_factory=lambda: ["says", "refusal"])
    margin: float = CompareRule().margin
    confidence: float = CompareRule().confidence
    repeats: int = Field(default=1, ge=1)

    def scores(self) -> tuple[str, ...]:
        """Every score that the gate asks for; each has to be told of every case that it asks something of."""
        return tuple(dict.fromkeys([*self.least, *self.compared]))

    def bounds(self) -> EvalRule:
        """The least mean of every score that the gate asks for: 0 where none is named, and told all the same."""
        return EvalRule({**dict.fromkeys(self.scores(), 0.0), **self.least})

    def rule(self) -> CompareRule:
        """The rule as the domain knows it."""
        return CompareRule(margin=self.margin, confidence=self.confidence)


class Judge(dg.Model, dg.Resolvable):
    """A language model that scores answers, too, as the score `judge`; who asks it is paid for as evaluations are.

    `asked` is `PROVIDER/MODEL`, `rubric` what a score means; see `ops_pipelines.llmops.evals.judge.LLMJudge`. How far it can
    be trusted `ops eval calibrate` says, by people's labels.
    """

    asked: str
    answers_as: str | None = None
    rubric: str = CORRECT

    def pin(self) -> ProviderPin:
        """Whom to ask, as the domain knows it."""
        return ProviderPin(*_named(self.asked), self.answers_as)


class Probe(dg.Model, dg.Resolvable):
    """The daily look at the provider: so many questions of the golden set, asked anew of what is live.

    `schedule` is a cron expression; without it nothing is asked by itself. See `ops_pipelines.llmops.probe.ProbeRule`.
    """

    cases: int = Field(default=24, ge=1)
    schedule: str | None = None
    false_alarms: float = ProbeRule().false_alarms
    least_days: int = ProbeRule().least_days
    baseline_days: int = ProbeRule().baseline_days

    def rule(self) -> ProbeRule:
        """The rule as the domain knows it."""
        settings = self.model_dump(exclude={"cases", "schedule"})
        return ProbeRule(least_probes=min(self.cases, ProbeRule().least_probes), **settings)


class Answers(dg.Model, dg.Resolvable):
    """How the prompt becomes a system that answers. Without a corpus nothing is looked up.

    `question` and `passages` are the prompt's variables for them. `fallback` lists who stands in for the provider, and
    `prices` what models ask for that no list knows, each as `PROVIDER/MODEL`. `guardrails` and `golden` are files, from the
    project's root. `schedule` is the cron expression by which it is evaluated again; `days` says how what it answers is kept.
    """

    corpus: str | None = None
    mode: str = HYBRID
    k: int = 5
    question: str = "question"
    passages: str = "passages"
    provider: Pin = Field(default_factory=Pin)
    fallback: list[str] = Field(default_factory=list)
    guardrails: str | None = None
    budgets: list[Spending] = Field(default_factory=list)
    prices: dict[str, Declared] = Field(default_factory=dict)
    cost: Cost = Field(default_factory=Cost)
    days: AnswerDays = Field(default_factory=AnswerDays)
    golden: str | None = None
    gate: Gate = Field(default_factory=Gate)
    judge: Judge | None = None
    concurrency: int = Field(default=8, ge=1)
    schedule: str | None = None
    probe: Probe = Field(default_factory=Probe)

    def stand_ins(self) -> tuple[ProviderPin, ...]:
        """Who answers where the pinned provider does not, in this order."""
        return tuple(ProviderPin(*_named(one)) for one in self.fallback)

    def declared_prices(self) -> dict[tuple[str, str], Price]:
        """The declared prices by provider and model."""
        return {_named(name): declared.price() for name, declared in self.prices.items()}

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON, for what the code version is over."""
        return self.model_dump(mode="json")


def _named(one: str) -> tuple[str, str]:
    """The provider and the model of `PROVIDER/MODEL`; a model's name may hold a slash."""
    provider, _, model = one.partition("/")
    return provider, model
