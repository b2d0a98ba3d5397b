"""Does a canary do harm? Its answers against the champion's of the same days, once outcomes are known.

The two answer other rows, so that nothing is paired; but which rows is drawn by lot, and a day's weather is the same for
both. So each day gives one difference of mean losses, and days are what is independent. An entity has one outcome, which
is why nothing else clusters. What needs no outcome is judged at once: scores that mean nothing, and answers that failed.

2026-11-26: A canary is looked at again and again while it runs, and something that is looked at often enough alarms by
chance. The confidence is shared by the looks that are planned, one a week (Bonferroni).
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import ClusteredMean, clustered_difference
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.mlops.task import Task

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class CanaryRule:
    """When a canary is blocked, when it passes, and when nothing can be told yet.

    It is not worse where its loss is above the champion's by less than `margin`, a share of the champion's loss, beyond
    chance. `confidence` holds for all `looks` together. ConfigError for numbers that cannot be meant.
    """

    confidence: float = 0.95
    margin: float = 0.04
    min_days: int = 5
    min_rows: int = 200
    looks: int = 4

    def __post_init__(self) -> None:
        check_settings(
            self,
            "canary",
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
            margin=(self.margin >= 0, "a share of the champion's loss, 0 or more"),
            min_days=(self.min_days >= 2, "at least 2"),
            min_rows=(self.min_rows >= 1, "at least 1"),
            looks=(self.looks >= 1, "at least 1"),
        )

    @property
    def each_look(self) -> float:
        """The confidence of one look."""
        return 1 - (1 - self.confidence) / self.looks


@dataclass(frozen=True, slots=True)
class Arm:
    """What one release answered while a canary ran, row by row: the score, the outcome, and the day of the question.

    A score is NaN where the answer failed; an outcome is NaN where it is not known.
    """

    scores: "np.ndarray"
    labels: "np.ndarray"
    days: Sequence[Hashable]

    @property
    def failures(self) -> int:
        """How many answers failed."""
        import numpy as np

        return int(np.isnan(self.scores).sum())


def judge_canary(task: Task, candidate: Arm, champion: Arm, rule: CanaryRule) -> Verdict:
    """Blocked where the candidate is worse than the champion beyond chance, Passed where it is not worse by the margin.

    Both are about the loss of rows whose outcome is known. Scores that the task cannot mean, and more failures than
    chance explains, block without any outcome. NotEvaluated where nothing can be told yet, with what could be by now.
    """
    evidence: dict[str, Any] = {"candidate": _counts(candidate), "champion": _counts(champion), "rule": asdict(rule)}
    if not len(candidate.scores) or not len(champion.scores):
        silent = "candidate" if not len(candidate.scores) else "champion"
        return NotEvaluated(f"cannot tell yet: the {silent} has answered nothing since the canary began", evidence)
    reasons = (*_senseless(task, candidate), *_failing(candidate, champion, rule))
    if reasons:
        return Blocked(reasons, evidence)
    found = _difference(task, candidate, champion)
    if found is None or found[0].clusters < rule.min_days:
        days = found[0].clusters if found else 0
        return NotEvaluated(
            f"cannot tell yet: {days} days have outcomes of both releases, and {rule.min_days} are needed", evidence
        )
    return _judge_harm(task, *found, rule, evidence)


def _judge_harm(
    task: Task, harm: ClusteredMean, champion_loss: float, rows: int, rule: CanaryRule, evidence: dict[str, Any]
) -> Verdict:
    """The verdict on the difference of the losses, of which `rows` are the candidate's."""
    low, high = harm.interval(confidence=2 * rule.each_look - 1) or (float("-inf"), float("inf"))
    margin, detectable = rule.margin * champion_loss, harm.detectable(confidence=rule.each_look)
    evidence |= {
        "loss_name": task.loss_name,
        "champion_loss": champion_loss,
        "harm": harm.mean,
        "low": low,
        "high": high,
        "margin": margin,
        "days": harm.clusters,
        "rows": rows,
        "detectable": detectable,
    }
    words = f"{task.loss_name.replace('_', ' ')} {harm.mean:+.4f} [{low:+.4f}, {high:+.4f}] against the champion's"
    seen = f"{champion_loss:.4f} over {harm.clusters} days with {rows} answers of the candidate"
    if low > 0:
        return Blocked((f"it does harm: {words} {seen}",), evidence)
    if rows >= rule.min_rows and high < margin:
        return Passed(evidence)
    few = f", and {rule.min_rows} are needed" if rows < rule.min_rows else f"; worse by {margin:.4f} is not ruled out"
    return NotEvaluated(
        f"cannot tell yet: {words} {seen}{few}. So many days show a harm of {detectable:.4f} four times of five",
        evidence,
    )


def _difference(task: Task, candidate: Arm, champion: Arm) -> tuple[ClusteredMean, float, int] | None:
    """How much more the candidate loses, the champion's loss and the candidate's rows, on the days that both have."""
    import numpy as np

    (losses, days), (others, other_days) = _losses(task, candidate), _losses(task, champion)
    shared = set(days) & set(other_days)
    if not shared:
        return None
    found = clustered_difference(losses, others, clusters=days, other_clusters=other_days)
    beside = np.array([day in shared for day in other_days])
    return found, float(others[beside].mean()), sum(day in shared for day in days)


def _losses(task: Task, arm: Arm) -> tuple["np.ndarray", list[Hashable]]:
    """The loss of each row that has a score and a known outcome, and its day."""
    import numpy as np

    known = np.isfinite(arm.scores) & np.isfinite(arm.labels)
    losses = task.loss(arm.labels[known], arm.scores[known])
    return losses, [day for day, is_known in zip(arm.days, known, strict=True) if is_known]


def _senseless(task: Task, arm: Arm) -> tuple[str, ...]:
    """Why the scores that were given cannot be meant; empty where they can, and where none was given."""
    import numpy as np

    given = arm.scores[~np.isnan(arm.scores)]
    return reasons_of(task.judge_scores(given, rows=len(given))) if len(given) else ()


def _failing(candidate: Arm, champion: Arm, rule: CanaryRule) -> tuple[str, ...]:
    """Why the candidate fails more often than the champion; empty where chance explains it.

    Given how many answers failed in all, those of the candidate are a draw of its share of the answers (the conditional
    test of two Poisson rates; Przyborowski and Wilenski, 1940).
    """
    from scipy.special import bdtrc

    mine, all_failures = candidate.failures, candidate.failures + champion.failures
    share = len(candidate.scores) / (len(candidate.scores) + len(champion.scores))
    if mine == 0 or float(bdtrc(mine - 1, all_failures, share)) > 1 - rule.each_look:
        return ()
    theirs = f"{champion.failures} of {len(champion.scores)}"
    return (f"it fails: {mine} of its {len(candidate.scores)} answers, and {theirs} of the champion's",)


def _counts(arm: Arm) -> dict[str, int]:
    import numpy as np

    labelled = int((np.isfinite(arm.scores) & np.isfinite(arm.labels)).sum())
    return {"answers": len(arm.scores), "labelled": labelled, "failures": arm.failures}
