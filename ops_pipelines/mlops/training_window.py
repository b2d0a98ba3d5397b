"""Which weeks a model learns from: the last ones before the cut-off, or all that there were.

A **trailing** window forgets: it suits a world that changes. An **expanding** one keeps everything from the calendar's
first week on: it suits rare outcomes and yearly seasons, and each training costs more than the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict

Policy: TypeAlias = Literal["trailing", "expanding"]


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """The last `window_weeks` weeks up to a cut-off, or everything up to it and at least so many; ConfigError for none."""

    window_weeks: int
    window: Policy = "trailing"

    def __post_init__(self) -> None:
        check_settings(
            self,
            "attributes",
            window=(self.window in ("trailing", "expanding"), "trailing or expanding"),
            window_weeks=(self.window_weeks >= 1, "at least 1"),
        )

    def weeks_of(self, calendar: Sequence[str], cut_off: str) -> tuple[str, ...]:
        """The weeks to learn from, oldest first, the week `cut_off` last; fewer where the calendar begins later.

        `calendar` is every week there is, oldest first. ValueError where `cut_off` is none of them.

        >>> TrainingWindow(2).weeks_of(["w1", "w2", "w3", "w4"], "w3")
        ('w2', 'w3')
        >>> TrainingWindow(2, "expanding").weeks_of(["w1", "w2", "w3", "w4"], "w3")
        ('w1', 'w2', 'w3')
        """
        past = tuple(calendar[: calendar.index(cut_off) + 1])
        return past if self.window == "expanding" else past[-self.window_weeks :]

    def reach(self, calendar_weeks: int) -> int:
        """How many weeks it can read at most in a calendar of so many: what a scheduler maps a cut-off onto."""
        return max(calendar_weeks, self.window_weeks) if self.window == "expanding" else self.window_weeks

    def judge(self, weeks: Sequence[str]) -> Verdict:
        """NotEvaluated for an expanding window that has not grown to its least size yet; Passed for any other.

        A trailing window may be short at the calendar's begin: it always was, and the holdout's own rule holds there.
        """
        if self.window == "expanding" and len(weeks) < self.window_weeks:
            return NotEvaluated(
                f"the calendar has {len(weeks)} weeks up to {weeks[-1] if weeks else 'the cut-off'}, and an expanding "
                f"window starts at {self.window_weeks}"
            )
        return Passed()
