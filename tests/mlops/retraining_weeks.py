"""Weeks with their findings, and what comes of them: what tests of retraining need."""

from dataclasses import replace
from datetime import timedelta

from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.drift import PREDICTION_DRIFT
from ops_pipelines.mlops.performance import PERFORMANCE
from ops_pipelines.mlops.retraining import Episode, Week, advance, due, request_for
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.testing.release_store import NEW_YEAR

SYSTEM, WEEK, FIRST, SECOND = "desk", timedelta(weeks=1), "a" * 64, "b" * 64
RULE = RetrainingRule()
VERDICTS: dict[str, Verdict] = {
    "B": Blocked(("log loss 0.7", "10 points more positives")),
    "p": Passed(),
    "n": NotEvaluated("few rows"),
}


def end_of(number: int):
    return NEW_YEAR + (number + 1) * WEEK


def key_of(number: int) -> str:
    return f"{NEW_YEAR + number * WEEK:%Y-%m-%d}"


def week(number: int, performance: str = "", prediction: str = "", *, trained: int | None = None, **known) -> Week:
    """A week whose last findings are B(locked), p(assed) or n(ot evaluated); the release stopped learning at its start.

    `trained` is another week at whose end it stopped, where age matters.
    """
    findings = {PERFORMANCE: performance, PREDICTION_DRIFT: prediction}
    verdicts = {kind: [VERDICTS[letter] for letter in letters] for kind, letters in findings.items()}
    cut_off = end_of(number - 1 if trained is None else trained)
    return replace(Week(key_of(number), Window(end_of(number - 1), end_of(number)), FIRST, cut_off, verdicts), **known)


def after(*weeks: Week, rule: RetrainingRule = RULE, before: tuple[Episode, ...] = ()) -> tuple[Episode, ...]:
    for each in weeks:
        before = advance(SYSTEM, before, each, rule)
    return before


def asked(episodes, number: int) -> Request:
    """The row that answers what is due after a week."""
    return request_for(due(episodes), week=key_of(number), end=end_of(number), actor="sensor", at=NEW_YEAR)


def by_hand(number: int, days: float = 0) -> Request:
    """A person's row."""
    instant = end_of(number) + timedelta(days=days)
    return Request(f"ada/{number}", SYSTEM, key_of(number), instant, "please", "ada", NEW_YEAR)


def open_kinds(episodes) -> list[str]:
    return [episode.kind for episode in episodes if episode.is_open]
