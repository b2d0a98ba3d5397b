"""Which earlier windows a week is compared with: the release's training period, the weeks before it, or last year's season.

A training period of winter makes every summer week look moved. `trailing` follows the world and so sees sudden moves only;
`same_season` sees what is new this year, and needs more than a year of scored weeks. Whichever it is, every window ends
before the judged one begins, so that no limit knows the week that it judges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import NotEvaluated

TRAINING, TRAILING, SAME_SEASON = "training", "trailing", "same_season"
YEAR = timedelta(weeks=52)
"""A year in whole weeks, so that a window is compared with windows of the same days of the week."""


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """What a week is compared with, and with how many earlier weeks where that is not the training period.

    ConfigError for a reference that does not exist, and for fewer than two weeks or more than half a year of them.
    """

    reference: str = TRAINING
    weeks: int = 8

    def __post_init__(self) -> None:
        kinds = (TRAINING, TRAILING, SAME_SEASON)
        check_settings(
            self,
            "drift",
            reference=(self.reference in kinds, f"one of {', '.join(kinds)}"),
            weeks=(2 <= self.weeks <= 26, "from 2 to 26 (reference_weeks)"),
        )


def reference_windows(
    judged: date, accepted: Iterable[date], rule: ReferenceRule, *, min_windows: int
) -> tuple[date, ...] | NotEvaluated:
    """The first days of the windows to compare a week with, oldest first, of those that were scored and accepted.

    `trailing` takes the last ones before the judged week; one that was refused makes room for an older one. `same_season`
    takes those around the same week one year (52 weeks) earlier, as many before it as after it, the one more before where
    their number is even. Empty for `training`; NotEvaluated with why where there are fewer than `min_windows`.
    """
    if rule.reference == TRAINING:
        return ()
    earlier = sorted(week for week in set(accepted) if week + timedelta(weeks=1) <= judged)
    if rule.reference == TRAILING:
        found = tuple(earlier[-rule.weeks :])
        where = f"before {judged}"
    else:
        first = judged - YEAR - timedelta(weeks=rule.weeks // 2)
        end = first + timedelta(weeks=rule.weeks)
        found = tuple(week for week in earlier if first <= week < end)
        where = f"from {first} to {end}, a year before {judged}"
    if len(found) >= min_windows:
        return found
    since = f"scores go back to {earlier[0]}" if earlier else "no earlier week was scored"
    return NotEvaluated(f"{len(found)} accepted weeks of scores {where}, and {min_windows} are needed; {since}")
