"""How an agent's runs of a day went: what they came to, what was held back, what they cost and how long their paths were.

A step that was denied, a call for which a person was asked, and an effect of which nobody knows are counted for each run.
A day that is not quiet is a finding: it says that people should look, and stops nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ops_pipelines.agentops.evaluation.distribution import Distribution, distribution_of
from ops_pipelines.agentops.notes import WAITS
from ops_pipelines.agentops.run_log import DECISION, MONEY_KINDS, TOOL, Step
from ops_pipelines.agentops.run_state import DONE, FAILED, STOPPED, state_of
from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.cost import from_nanos

QUALITY, COST, LENGTH = "quality", "cost", "path_length"


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """One run in numbers. `asked` counts the waits for a person, `unknown` the effects; `usd` is None where nobody knows."""

    run: str
    release: str
    started: datetime
    state: str
    steps: int
    tool_calls: int
    errors: int
    denied: int
    asked: int
    unknown: int
    tokens: int
    usd: Decimal | None
    seconds: float

    def to_row(self) -> dict[str, Any]:
        """The run as a row of plain values."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {**plain, "usd": None if self.usd is None else float(self.usd)}


@dataclass(frozen=True, slots=True)
class QualityRule:
    """Which shares of a day's runs may fail, and may have a call denied; fewer runs than `least` are not judged.

    `usd_p90` and `steps_p90` are what nine of ten runs may cost and take; None is not judged.
    """

    most_failed: float = 0.1
    most_denied: float = 0.5
    usd_p90: float | None = None
    steps_p90: int | None = None
    least: int = 5

    def __post_init__(self) -> None:
        check_settings(
            self,
            "days",
            most_failed=(0 <= self.most_failed <= 1, "a share from 0 to 1"),
            most_denied=(0 <= self.most_denied <= 1, "a share from 0 to 1"),
            least=(self.least >= 1, "at least 1"),
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """The names of what is found in a day."""
        return (QUALITY, COST, LENGTH)


def outcomes_of(steps: Sequence[Step], unknown: Mapping[str, int], now: datetime) -> tuple[RunOutcome, ...]:
    """The runs of some steps, as they are at an instant; `unknown` counts by run the effects of which nobody knows."""
    runs: dict[str, list[Step]] = {}
    for step in steps:
        runs.setdefault(step.run, []).append(step)
    return tuple(_outcome(run, found, unknown.get(run, 0), now) for run, found in runs.items())


def judge_day(outcomes: Sequence[RunOutcome], rule: QualityRule) -> dict[str, Verdict]:
    """What is found in a day's runs, by name."""
    paths = distribution_of([one.steps for one in outcomes])
    return {
        QUALITY: _judge_quality(outcomes, rule),
        COST: _judge_spread(distribution_of([one.usd for one in outcomes]), rule.usd_p90, rule, "dollars"),
        LENGTH: _judge_spread(paths, rule.steps_p90, rule, "steps"),
    }


def by_release(outcomes: Iterable[RunOutcome]) -> list[dict[str, Any]]:
    """Each release's runs in one row: what they came to, and how cost and path length are spread."""
    releases: dict[str, list[RunOutcome]] = {}
    for one in outcomes:
        releases.setdefault(one.release, []).append(one)
    return [{"release": release[:12], **_summed(found)} for release, found in sorted(releases.items())]


def _outcome(run: str, steps: Sequence[Step], unknown: int, now: datetime) -> RunOutcome:
    tools = [step for step in steps if step.kind == TOOL]
    began, ended = min(step.started for step in steps), max(step.ended for step in steps)
    return RunOutcome(
        run=run,
        release=steps[0].release,
        started=began,
        state=state_of(steps, now),
        steps=len(steps),
        tool_calls=len(tools),
        errors=sum(bool(step.error) for step in steps),
        denied=sum(step.was_denied for step in tools),
        asked=sum(step.kind == DECISION and step.name == WAITS for step in steps),
        unknown=unknown,
        tokens=sum(step.tokens or 0 for step in steps),
        usd=_cost(steps),
        seconds=(ended - began).total_seconds(),
    )


def _cost(steps: Sequence[Step]) -> Decimal | None:
    if any(step.kind in MONEY_KINDS and step.nanos is None for step in steps):
        return None
    return from_nanos(sum(step.nanos or 0 for step in steps))


def _judge_quality(outcomes: Sequence[RunOutcome], rule: QualityRule) -> Verdict:
    counts, runs = Counter(one.state for one in outcomes), len(outcomes)
    failed = counts[FAILED] + counts[STOPPED]
    denied, unknown = sum(one.denied > 0 for one in outcomes), sum(one.unknown for one in outcomes)
    evidence = {"runs": runs, **dict(sorted(counts.items())), "denied": denied, "unknown": unknown}
    if unknown:
        return Blocked((f"nobody knows what came of {unknown} effects: `ops agent effects`",), evidence)
    if runs < rule.least:
        return NotEvaluated(f"{runs} runs are fewer than {rule.least}", evidence)
    reasons = []
    if failed > rule.most_failed * runs:
        reasons.append(f"{failed} of {runs} runs failed or stopped, and {rule.most_failed:.0%} may")
    if denied > rule.most_denied * runs:
        reasons.append(f"calls were denied in {denied} of {runs} runs, and in {rule.most_denied:.0%} may be")
    return Blocked(tuple(reasons), evidence) if reasons else Passed(evidence)


def _judge_spread(found: Distribution, most: float | None, rule: QualityRule, unit: str) -> Verdict:
    evidence = found.to_json()
    if most is None:
        return Passed(evidence)
    if found.runs < rule.least:
        return NotEvaluated(f"{found.runs} runs are fewer than {rule.least}", evidence)
    if found.p90 is None:
        return NotEvaluated(f"the {unit} of {found.unknown} of {found.runs} runs are not known", evidence)
    if float(found.p90) > most:
        return Blocked((f"nine of ten runs take up to {found.p90} {unit}, and {most:g} is allowed",), evidence)
    return Passed(evidence)


def _summed(runs: Sequence[RunOutcome]) -> dict[str, Any]:
    counts = Counter(one.state for one in runs)
    summed = {name: sum(getattr(one, name) for one in runs) for name in ("denied", "asked", "unknown")}
    usd, steps = (distribution_of([getattr(one, name) for one in runs]).to_json() for name in ("usd", "steps"))
    spread = {"usd median": usd["median"], "usd p90": usd["p90"], "steps median": steps["median"]}
    return {
        "runs": len(runs),
        DONE: counts[DONE],
        "other ends": len(runs) - counts[DONE],
        **summed,
        **spread,
        "steps p90": steps["p90"],
    }
