"""Whatever weeks, gates, crashes and rollbacks bring: how often a system is trained again is bounded, and nothing is lost."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.drift import PREDICTION_DRIFT
from ops_pipelines.mlops.performance import PERFORMANCE
from ops_pipelines.mlops.retraining import Episode, Week, advance, due, request_for
from ops_pipelines.mlops.retraining_log import Request, TrainingStep
from ops_pipelines.mlops.retraining_requests import ROLLED_BACK
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.mlops.training_cost import cost_of
from ops_pipelines.testing.release_store import NEW_YEAR

WEEK = timedelta(weeks=1)
VERDICTS: dict[str, Verdict] = {"B": Blocked(("bad",)), "p": Passed(), "n": NotEvaluated("few rows")}
RULES = st.builds(
    RetrainingRule,
    flagged=st.just(1),
    of=st.integers(1, 3),
    quiet=st.integers(1, 3),
    cooldown_weeks=st.integers(0, 3),
    max_age_weeks=st.integers(1, 8),
    budget_runs=st.integers(1, 4),
    budget_weeks=st.integers(2, 12),
    budget_cpu_seconds=st.none() | st.floats(5, 40),
    patience_weeks=st.integers(1, 4),
)
ENDS = ("promoted", "refused", ROLLED_BACK, "died", "never launched", "slow")
"""How a run may end that is launched in a week; a slow one is refused two weeks later."""
A_WEEK = st.tuples(
    st.sampled_from("BBpn"), st.sampled_from("BBpn"), st.sampled_from(ENDS), st.floats(0.5, 10), st.booleans()
)


def end_of(number: int) -> datetime:
    return NEW_YEAR + (number + 1) * WEEK


@dataclass
class Desk:
    """A system that is walked week by week: what is due is asked for, and its run ends as the week says."""

    rule: RetrainingRule
    episodes: tuple[Episode, ...] = ()
    rows: list[Request] = field(default_factory=list)
    steps: list[TrainingStep] = field(default_factory=list)
    decided: dict[str, tuple[int, str]] = field(default_factory=dict)
    release: str = "0" * 64
    seen: defaultdict = field(default_factory=lambda: defaultdict(list))
    open_when_asked: list[list[str]] = field(default_factory=list)
    counted_when_asked: list[float] = field(default_factory=list)

    def walk(self, number: int, performance: str, prediction: str, end: str, cost: float, by_hand: bool) -> None:
        for kind, letter in ((PERFORMANCE, performance), (PREDICTION_DRIFT, prediction)):
            self.seen[kind, self.release].append(VERDICTS[letter])
        findings = {kind: self.seen[kind, self.release][-3:] for kind in (PERFORMANCE, PREDICTION_DRIFT)}
        rows = [row for row in self.rows if row.as_of < end_of(number)]
        outcomes = {key: outcome for key, (known, outcome) in self.decided.items() if known < number}
        window = Window(end_of(number - 1), end_of(number))
        known = Week(str(number), window, self.release, NEW_YEAR, findings, rows, outcomes, tuple(self.steps))
        self.episodes = advance("desk", self.episodes, known, self.rule)
        if waiting := due(self.episodes):
            row = request_for(waiting, week=str(number), end=end_of(number), actor="sensor", at=NEW_YEAR)
            self.ask(row, number, outcomes, end, cost)
        elif by_hand:
            instant = end_of(number) + timedelta(days=2)
            row = Request(f"ada/{number}", "desk", str(number), instant, "please", "ada", NEW_YEAR)
            self.rows.append(row)
            self.run(row, number, end, cost)

    def ask(self, row: Request, number: int, outcomes: dict[str, str], end: str, cost: float) -> None:
        """What the sensor does; before it, what is open and what counts as spent are looked at from outside."""
        patient = timedelta(weeks=self.rule.patience_weeks)
        young = [other.key for other in self.rows if other.as_of + patient > row.as_of]
        self.open_when_asked.append([key for key in young if key not in outcomes])
        self.counted_when_asked.append(self.counted(row.as_of))
        self.rows.append(row)
        self.run(row, number, end, cost)

    def run(self, row: Request, number: int, end: str, cost: float) -> None:
        if end == "never launched":
            return
        begun = TrainingStep(row.key, "desk", f"run of {row.key}", "checkpoint", NEW_YEAR)
        self.steps.append(begun)
        if end == "died":
            return
        self.steps.append(TrainingStep(row.key, "desk", begun.run, "checkpoint", NEW_YEAR, cost, is_good=True))
        self.decided[row.key] = (number + 2, "refused") if end == "slow" else (number, end)
        if end == "promoted":
            self.release = f"{number:064}"

    def counted(self, instant: datetime) -> float:
        """What counts as spent, the next run included, by the words of the rule and not by its code."""
        young = [row for row in self.rows if instant - row.as_of < timedelta(weeks=self.rule.budget_weeks)]
        runs = [run for row in young for run in cost_of(row, self.steps).runs]
        known = [run.cpu_seconds for run in runs if not run.is_unknown]
        dearest = max(known, default=0.0 if not runs else float("inf"))
        return sum(known) + (len(runs) - len(known) + 1) * dearest


@settings(max_examples=30, deadline=None)
@given(RULES, st.lists(A_WEEK, min_size=30, max_size=30))
def test_runs_are_bounded_by_cooldown_budgets_and_each_other_and_no_episode_is_lost(rule, weeks) -> None:
    desk = Desk(rule)
    for number, each in enumerate(weeks):
        desk.walk(number, *each)
    own = [row for row in desk.rows if row.episodes]
    for row in own:
        before = [other for other in desk.rows if other.as_of < row.as_of]
        assert all(row.as_of - other.as_of >= timedelta(weeks=rule.cooldown_weeks) for other in before)
        recent = [other for other in before if row.as_of - other.as_of < timedelta(weeks=rule.budget_weeks)]
        assert len(recent) < rule.budget_runs
    assert desk.open_when_asked == [[]] * len(own)
    assert all(counted <= (rule.budget_cpu_seconds or float("inf")) for counted in desk.counted_when_asked)
    answered = [key for row in own for key in row.episodes]
    assert len(answered) == len(set(answered))
    for episode in desk.episodes:
        assert bool(episode.because) is not episode.is_open
        assert not episode.is_open or bool(episode.trained) + bool(episode.held) + episode.is_due == 1
    kinds = [episode.kind for episode in desk.episodes if episode.is_open]
    assert len(kinds) == len(set(kinds))
