"""A model walked through a year, week by week, by any rule that says which weeks are bad.

Everything but that rule is the project's own and the same for all: episodes with their cooldown, budget and age, the
gate, and which release scores which week. A week is scored by the release that was live when it began; it is judged
with the labels known when it ends; what is due then is trained up to that end, and goes live with the next week where
the gate lets it in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.scored_year import Flags, Year
from ops_pipelines.core.clock import Window
from ops_pipelines.core.statistics import ClusteredMean
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.retraining import FINDINGS, Episode, Request, RetrainingRule, Week, advance, due, request_for

FOLLOWING = 4
"""The weeks after a challenger was made in which it is compared with the champion that it met."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenger made at the end of `week` against the model of week `champion`, and what the weeks after it showed.

    `after` is the champion's loss minus the challenger's, a row of the next `weeks` weeks: four, or as many as are left.
    """

    week: int
    champion: int
    kinds: tuple[str, ...]
    verdict: Verdict
    weeks: int
    after: ClusteredMean | None

    @property
    def is_promoted(self) -> bool:
        return isinstance(self.verdict, Passed)

    @property
    def gain(self) -> float:
        """What the next weeks gain by it, or would have gained: loss times weeks, a row."""
        return self.after.mean * self.weeks if self.after else 0.0

    @property
    def error(self) -> float:
        """The standard error of `gain`, over days."""
        return (self.after.standard_error or 0.0) * self.weeks if self.after else 0.0


@dataclass(frozen=True, slots=True)
class Walked:
    """A year by one rule: its episodes, its challenges, each week's findings, and the model that was live in each."""

    episodes: tuple[Episode, ...]
    challenges: tuple[Challenge, ...]
    findings: Mapping[int, Mapping[str, Verdict]]
    live: Mapping[int, int]

    @property
    def promoted(self) -> tuple[Challenge, ...]:
        return tuple(challenge for challenge in self.challenges if challenge.is_promoted)

    @property
    def refused(self) -> tuple[Challenge, ...]:
        return tuple(challenge for challenge in self.challenges if not challenge.is_promoted)

    @property
    def raised(self) -> tuple[Episode, ...]:
        """The episodes that findings opened, and not the release's age."""
        return tuple(episode for episode in self.episodes if episode.kind in FINDINGS)

    @property
    def flagged(self) -> tuple[int, ...]:
        """The weeks with a finding."""
        blocked = {
            week for week, found in self.findings.items() for each in found.values() if isinstance(each, Blocked)
        }
        return tuple(sorted(blocked))


def total(challenges: Sequence[Challenge]) -> tuple[float, float]:
    """What some challenges gained over the four weeks after each, and its standard error: loss times weeks, a row."""
    return sum(each.gain for each in challenges), sum(each.error**2 for each in challenges) ** 0.5


def walk(year: Year, flags: Flags, rule: RetrainingRule) -> Walked:
    """The year from the first model on, with challengers asked for by a rule; ValueError where the gate refuses the first."""
    if not isinstance(first := year.judge(year.first, None), Passed):
        raise ValueError(f"the first model does not pass its gate: {first}")
    walker = _Walker(year, flags, rule, live_now=year.first)
    for week in range(year.first + 1, year.last + 1):
        walker.live_through(week)
    return Walked(walker.episodes, tuple(walker.challenges), walker.findings, walker.live)


@dataclass(slots=True)
class _Walker:
    """What a walk knows so far."""

    year: Year
    flags: Flags
    rule: RetrainingRule
    live_now: int
    episodes: tuple[Episode, ...] = ()
    requests: list[Request] = field(default_factory=list)
    challenges: list[Challenge] = field(default_factory=list)
    findings: dict[int, Mapping[str, Verdict]] = field(default_factory=dict)
    live: dict[int, int] = field(default_factory=dict)

    def live_through(self, week: int) -> None:
        """A week is scored and judged, episodes follow, and what is due is answered at its end."""
        self.live[week] = self.live_now
        self.findings[week] = self.flags(self.year.watched(self.live_now, week))
        self.episodes = advance("walked", self.episodes, self._known(week), self.rule)
        if waiting := due(self.episodes):
            end = self.year.end(week)
            self.requests.append(request_for(waiting, week=self.year.key(week), end=end, actor="walk", at=end))
            self.challenges.append(self._challenge(week, tuple(episode.kind for episode in waiting)))
            if self.challenges[-1].is_promoted:
                self.live_now = week

    def _known(self, week: int) -> Week:
        """What episodes are told at the end of a week: the findings of the live release alone, and earlier outcomes."""
        year, kinds = self.year, self.findings[week]
        judged = [self.findings[seen] for seen in range(self.live_now + 1, week + 1)]
        return Week(
            key=year.key(week),
            window=Window(year.end(week - 1), year.end(week)),
            release=year.key(self.live_now),
            cut_off=year.end(self.live_now),
            findings={kind: [found[kind] for found in judged] for kind in kinds},
            requests=tuple(self.requests),
            outcomes={
                request.key: "promoted" if challenge.is_promoted else "refused"
                for request, challenge in zip(self.requests, self.challenges, strict=True)
            },
        )

    def _challenge(self, week: int, kinds: tuple[str, ...]) -> Challenge:
        after = range(week + 1, min(week + FOLLOWING, self.year.last) + 1)
        spared = self.year.gained(dict.fromkeys(after, (self.live_now, week)))
        verdict = self.year.judge(week, self.live_now)
        return Challenge(week, self.live_now, kinds, verdict, len(after), spared)
