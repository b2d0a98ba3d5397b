"""The logs of the LLM layer that are compacted by day: answers and calls, each with what there is to do to both.

Live answers are given at the wall clock's time, and budgets are counted by its days; so days are days in UTC of the wall
clock, whatever week a demo's clock is in.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ops_pipelines.adapters.compacted import compacted_ids
from ops_pipelines.adapters.lake import Lake
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.clock import Window, day_of, window_of_day
from ops_pipelines.llmops import answer_table, call_table

GRACE = timedelta(days=1)
"""How long after its end a day stays in the log: what comes late is compacted with the day after it."""
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DailyLog:
    """One of the logs. `part` names its asset, and `column` the ids in the asset's table.

    `instants` gives the id and the instant of each row in a window of a system; `forget` removes rows by their ids.
    """

    part: str
    column: str
    instants: Callable[[Window, str], Iterator[tuple[str, datetime]]]
    forget: Callable[[Collection[str]], int]

    def waiting(self, system: str, day: str) -> set[str]:
        """The ids of a day that are in the log."""
        return {id for id, _ in self.instants(window_of_day(day), system)}

    def compacted(self, lake: Lake, system: str, day: str) -> set[str]:
        """The ids of a day in the log; none where the lake lacks one of them, or refused what was compacted last."""
        ids = self.waiting(system, day)
        return ids if ids and ids <= self._kept(lake, system, day) else set()

    def uncompacted(self, lake: Lake, system: str, until: datetime) -> list[str]:
        """The days, over by some instant, of which the log has a row that the lake has not, in order."""
        days: dict[str, set[str]] = {}
        for id, at in self.instants(Window(_FIRST, window_of_day(day_of(until)).start), system):
            days.setdefault(day_of(at), set()).add(id)
        return sorted(day for day, ids in days.items() if ids - self._kept(lake, system, day))

    def forget_compacted(self, lake: Lake, system: str, *, made: str, now: datetime) -> list[str]:
        """Forgets the days that are compacted whole, over for longer than the grace, and not the one being made."""
        forgotten = []
        for day in lake.partitions(f"{system}/{self.part}"):
            over = window_of_day(day).end + GRACE <= now
            if day != made and over and self.forget(self.compacted(lake, system, day)):
                forgotten.append(day)
        return forgotten

    def _kept(self, lake: Lake, system: str, day: str) -> set[str]:
        return compacted_ids(lake, f"{system}/{self.part}", day, column=self.column)


def daily_logs(platform: Platform) -> Mapping[str, DailyLog]:
    """The logs of a platform, by the name of their asset."""

    def answers(window: Window, system: str) -> Iterator[tuple[str, datetime]]:
        return ((one.id, one.asked_at) for one in platform.answers.answers(window, system))

    def calls(window: Window, system: str) -> Iterator[tuple[str, datetime]]:
        return ((call.id, call.called_at) for call in platform.calls.calls(window, system))

    return {
        answer_table.ANSWERS: DailyLog(answer_table.ANSWERS, answer_table.ID, answers, platform.answers.forget),
        call_table.CALLS: DailyLog(call_table.CALLS, call_table.ID, calls, platform.calls.forget),
    }
