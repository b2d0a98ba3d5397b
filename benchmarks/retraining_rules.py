"""Does the rule that starts retraining keep quiet where nothing drifts, and does what it starts pay on the real year?

**Quiet.** The rows of the year are dealt out anew over its weeks, so that one week differs from another by chance alone.
An episode that findings open there is false. As a harder case whole days change places: nothing drifts, but the flights
of a day keep their common weather, so that ten training weeks tell less about the next one.

**Paying.** The real year is walked by the project's rule and by others. All have the same model, gate, cooldown, budget
and age limit, and differ only in what flags a week; their numbers are fixed by the training period, or are published.
Each promoted challenger is compared with the champion that it met, over the next four weeks. That sum has a flaw: a rule
that promoted badly is paid once more for the repair. So the whole year is compared, too, with what it would have been
by the first model alone, which is one yardstick for all. It is one year: the errors are told with the numbers. Weeks are
numbered from 0, and the first model knows ten of them.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.flights_year import YEAR, FlightsYear, read_flights_year
from benchmarks.quiet_years import deal_days, deal_rows
from benchmarks.rows import Row, at_most
from benchmarks.scored_year import Year
from benchmarks.trigger_rules import HINDSIGHT, OURS, RIVALS, TriggerRule, no_finding
from benchmarks.year_walk import Challenge, Walked, total, walk

RESAMPLES, ALLOWED = 10, 1
FOR_EVER = 10_000
"""The age in weeks at which a release is challenged that never is to be."""


def measure(resamples: int = RESAMPLES) -> Iterator[Row]:
    """The false episodes, then each rival by the four weeks after its promotions, then each by the whole year."""
    _tell("reading and joining the year")
    with tempfile.TemporaryDirectory() as folder:
        flights = read_flights_year(Path(folder))
    yield from false_episodes(flights, resamples)
    yield from compared(Year(flights.frame, flights.recipe, start=YEAR))


def measure_quick() -> Iterator[Row]:
    """The same with one year of each kind without time order instead of ten."""
    return measure(1)


def false_episodes(flights: FlightsYear, resamples: int) -> Iterator[Row]:
    """The episodes that findings open in years in which nothing drifts: dealt out by rows, and by whole days."""
    for unit, deal, rules in (("rows", deal_rows, (OURS, *RIVALS)), ("days", deal_days, (OURS,))):
        opened: dict[str, int] = dict.fromkeys((rule.name for rule in rules), 0)
        flagged = weeks = 0
        for seed in range(resamples):
            _tell(f"a year without time order, dealt out by {unit}, {seed + 1} of {resamples}")
            year = Year(deal(flights.frame, seed), flights.recipe, start=YEAR)
            walks = {rule.name: walk(year, rule.flags, year.recipe.retraining) for rule in rules}
            opened = {name: count + len(walks[name].raised) for name, count in opened.items()}
            flagged, weeks = flagged + len(walks[OURS.name].flagged), weeks + len(walks[OURS.name].live)
        others = ", ".join(f"{name}: {count}" for name, count in opened.items() if name != OURS.name)
        note = f"{flagged} of {weeks} weeks flagged" + (f"; episodes by the others: {others}" if others else "")
        name = f"false episodes in {resamples} years without time order, dealt out by {unit}"
        yield at_most(name, opened[OURS.name], ALLOWED, note=note)


def compared(year: Year) -> Iterator[Row]:
    """The project's rule against each rival on one year: by four weeks, and by the whole of it."""
    walks = {rule.name: walk(year, rule.flags, year.recipe.retraining) for rule in (OURS, *RIVALS, *HINDSIGHT.values())}
    never = walk(year, no_finding, replace(year.recipe.retraining, max_age_weeks=FOR_EVER))
    for name, walked in walks.items():
        _tell(f"{name}: {_done(walked)}; {_spared(year, never, walked)[1]}")
    yield from (_by_four_weeks(rule, walks) for rule in RIVALS)
    yield from (_by_the_year(year, rule.name, walks[OURS.name], walks[rule.name], never) for rule in RIVALS)
    last = _by_the_year(year, "never retraining", walks[OURS.name], never, never)
    yield replace(last, note=f"{last.note}; ours: {_done(walks[OURS.name])}")


def _by_four_weeks(rule: TriggerRule, walks: Mapping[str, Walked]) -> Row:
    """What was gained over the four weeks after each promotion."""
    mine, theirs = walks[OURS.name], walks[rule.name]
    (ours, error), (peer, their_error) = total(mine.promoted), total(theirs.promoted)
    note = f"standard errors {error:.3f} and {their_error:.3f}; theirs ({rule.settings}): {_done(theirs)}"
    if known := HINDSIGHT.get(rule.name):
        note += f"; with numbers {known.settings}: {total(walks[known.name].promoted)[0]:+.3f}"
    return _at_least(f"gain of the 4 weeks after promotions, nats x weeks a flight: {rule.name}", ours, peer, note)


def _by_the_year(year: Year, name: str, mine: Walked, theirs: Walked, never: Walked) -> Row:
    """What the whole year gained against the first model alone."""
    ours, peer = _spared(year, never, mine)[0], _spared(year, never, theirs)[0]
    note = f"ours against theirs, by days: {_spared(year, theirs, mine)[1]}"
    return _at_least(f"gain of the year over the first model, nats a flight: {name}", ours, peer, note)


def _spared(year: Year, left: Walked, taken: Walked) -> tuple[float, str]:
    """The loss a flight of the year that one walk has less than another, and the same in words with its interval."""
    found = year.gained({week: (left.live[week], taken.live[week]) for week in taken.live})
    low, high = (found.interval(confidence=0.9) if found else None) or (0.0, 0.0)
    mean = found.mean if found else 0.0
    return mean, f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def _done(walked: Walked) -> str:
    """What a rule did with a year, in words."""
    raised, aged = len(walked.raised), len(walked.episodes) - len(walked.raised)
    return (
        f"{len(walked.flagged)} weeks flagged, episodes: {raised} by findings, {aged} by age; "
        f"promoted {_told(walked.promoted)}, refused {_told(walked.refused)}"
    )


def _told(challenges: Sequence[Challenge]) -> str:
    """The weeks of some challenges, each with what its next weeks gained or would have gained."""
    return ", ".join(f"{each.week} ({each.gain:+.3f})" for each in challenges) or "none"


def _at_least(name: str, ours: float, peer: float, note: str) -> Row:
    return Row(name, ours, peer, ours / peer if peer else None, "ours >= peer", ours >= peer, note)


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")
