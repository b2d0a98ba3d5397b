"""A whole year of trouble, whatever happens in it."""

from collections import defaultdict
from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.clock import Window
from ops_pipelines.mlops.drift import PREDICTION_DRIFT
from ops_pipelines.mlops.performance import PERFORMANCE
from ops_pipelines.mlops.retraining import Episode, Week, advance, due
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.testing.release_store import NEW_YEAR
from ops_pipelines.testing.retraining_log import MemoryRetrainingLog

from .retraining_weeks import FIRST, RULE, SYSTEM, VERDICTS, WEEK, asked, by_hand, end_of, key_of, open_kinds

RULES = [
    RULE,
    RetrainingRule(2, 3, 2, 1, 6, 4, 12),
    RetrainingRule(1, 1, 1, 0, 3, 3, 9),
    RetrainingRule(3, 4, 1, 6, 13),
]
A_WEEK = st.sampled_from(list(product("BBpn", "BBpn", ("promoted", "refused", "", "ask"))))


class Year:
    """Weeks of findings on a desk where what is due is asked for, and outcomes are known in the week after."""

    def __init__(self, rule: RetrainingRule) -> None:
        self.rule, self.log = rule, MemoryRetrainingLog()
        self.episodes: tuple[Episode, ...] = ()
        self.outcomes: dict[str, str] = {}
        self.releases, self.seen = [(FIRST, NEW_YEAR)], defaultdict(list)
        self.walked: list[tuple[tuple[Episode, ...], Week, tuple[Episode, ...]]] = []

    def known(self, number: int, written: tuple[Request, ...]) -> Week:
        """A week as it is read at its end, and at any time later: without what was asked for at its end or after."""
        rows = [row for row in written if row.as_of < end_of(number)]
        release, cut_off = [live for live in self.releases if live[1] < end_of(number)][-1]
        findings = {kind: self.seen[kind, release][-4:] for kind in (PERFORMANCE, PREDICTION_DRIFT)}
        outcomes = {row.key: self.outcomes[row.key] for row in rows if row.key in self.outcomes}
        return Week(
            key_of(number), Window(end_of(number - 1), end_of(number)), release, cut_off, findings, rows, outcomes
        )

    def walk(self, number: int, performance: str, prediction: str, what: str) -> None:
        release = self.releases[-1][0]
        self.seen[PERFORMANCE, release].append(VERDICTS[performance])
        self.seen[PREDICTION_DRIFT, release].append(VERDICTS[prediction])
        rows = self.log.requests(SYSTEM)
        known = self.known(number, rows)
        after = advance(SYSTEM, self.episodes, known, self.rule)
        self.walked.append((self.episodes, known, after))
        self.episodes = after
        self.ask(number)
        self.ask(number)
        asked_now = self.log.requests(SYSTEM)[len(rows) :]
        if what == "ask":
            self.log.ask(by_hand(number, days=2))
        for row in asked_now if what in ("promoted", "refused") else ():
            self.outcomes[row.key] = what
            if what == "promoted":
                self.releases.append((f"{len(self.releases):064}", end_of(number)))

    def ask(self, number: int) -> None:
        if due(self.episodes):
            self.log.ask(asked(self.episodes, number))


@settings(max_examples=4, deadline=None)
@given(st.sampled_from(RULES), st.lists(A_WEEK, min_size=52, max_size=52))
def test_a_year_of_trouble_is_answered_once_for_each_episode(rule: RetrainingRule, weeks) -> None:
    year = Year(rule)
    for number, each in enumerate(weeks):
        year.walk(number, *each)
    for before, known, later in year.walked:
        assert advance(SYSTEM, later, known, rule) == later
        assert [e.key for e in later[: len(before)]] == [e.key for e in before]
        assert len(set(open_kinds(later))) == len(open_kinds(later))
        assert all(e.release == known.release for e in later if e.is_open)
        assert all(now == then or then.is_open or not then.outcome for then, now in zip(before, later, strict=False))
    rows = year.log.requests(SYSTEM)
    answered = [key for row in rows for key in row.episodes]
    assert len(answered) == len(set(answered))
    assert set(answered) <= {episode.key for episode in year.episodes}
    assert len({episode.key for episode in year.episodes}) == len(year.episodes)
    launched_within_cooldown_and_budget(rows, rule)
    walked_again_later(year, rows)
    assert year.log.requests(SYSTEM) == rows


def launched_within_cooldown_and_budget(rows: tuple[Request, ...], rule: RetrainingRule) -> None:
    for row in [row for row in rows if row.episodes]:
        earlier = [other.as_of for other in rows if other.as_of < row.as_of]
        assert all(instant + rule.cooldown_weeks * WEEK <= row.as_of for instant in earlier)
        recent = [instant for instant in earlier if instant > row.as_of - rule.budget_weeks * WEEK]
        assert len(recent) < rule.budget_runs


def walked_again_later(year: Year, rows: tuple[Request, ...]) -> None:
    """Every week from the first on, read from the whole log, gives what it gave; and what was due is asked for again."""
    again: tuple[Episode, ...] = ()
    for number, (_, known, later) in enumerate(year.walked):
        as_read_now = replace(known, requests=[row for row in rows if row.as_of < end_of(number)])
        again = year.episodes = advance(SYSTEM, again, as_read_now, year.rule)
        assert again == later
        year.ask(number)
