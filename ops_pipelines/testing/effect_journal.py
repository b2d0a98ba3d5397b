"""The fake of `agentops.effects.EffectJournal`, and the conformance suite that the fake and every adapter run.

A team that writes a journal of its own subclasses the suite and gives it a fixture named `journal`.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from ops_pipelines.agentops.effects import (
    DONE,
    NOT_DONE,
    STARTED,
    UNKNOWN,
    EffectJournal,
    Entry,
    Intent,
    Outcome,
    judge_outcome,
    waiting_for_a_person,
)
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
MOMENT = timedelta(microseconds=1)
PAID = Outcome(DONE, '{"paid":true}')


class MemoryEffectJournal:
    """An EffectJournal that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[str, Entry] = {}

    def start(self, intent: Intent, *, at: datetime, until: datetime) -> Entry | None:
        with self._lock:
            found = self._entries.get(intent.key)
            if found is None:
                self._entries[intent.key] = Entry(intent, at, until)
            return found

    def end(self, key: str, outcome: Outcome, *, at: datetime) -> Verdict:
        with self._lock:
            entry = self._entries.get(key)
            found = judge_outcome(entry, outcome)
            if entry is not None and isinstance(found, Passed):
                self._entries[key] = entry.ended(outcome, at)
            return found

    def entries(self, key: str | None = None) -> tuple[Entry, ...]:
        with self._lock:
            found = self._entries.values() if key is None else [self._entries[key]] if key in self._entries else []
            return tuple(found)


def intent_of(key: str) -> Intent:
    """A refund that somebody has approved."""
    return Intent(key, "refund", '{"order":"a"}', "run-1", "b" * 64, "approval-1")


def started(journal: EffectJournal, key: str) -> Entry | None:
    """What comes of starting an intent at noon, whose tool has a minute."""
    return journal.start(intent_of(key), at=NOON, until=LATER)


class EffectJournalConformance:
    """What every EffectJournal guarantees, as tests of the fixture `journal`."""

    def test_an_intent_is_started_once_and_who_comes_after_sees_what_came_of_it(self, journal: EffectJournal) -> None:
        assert started(journal, "a") is None
        again = started(journal, "a")
        assert again is not None
        assert (again.intent, again.state(NOON)) == (intent_of("a"), STARTED)
        assert isinstance(journal.end("a", PAID, at=NOON), Passed)
        done = started(journal, "a")
        assert done is not None
        assert (done.outcome, done.ended_at) == (PAID, NOON)

    def test_an_intent_that_comes_again_is_known_to_the_byte_also_where_a_secret_was_taken_out_of_it(
        self, journal: EffectJournal
    ) -> None:
        intent = replace(intent_of("a"), arguments='{"password":"hunter-two"}')
        journal.start(intent, at=NOON, until=LATER)
        again = journal.start(intent, at=NOON, until=LATER)
        assert again is not None
        assert again.intent.is_as(intent)
        assert not again.intent.is_as(replace(intent, arguments='{"password":"hunter-twp"}'))

    def test_what_was_started_and_never_ended_is_unknown_once_its_time_is_over(self, journal: EffectJournal) -> None:
        started(journal, "a")
        (entry,) = journal.entries("a")
        assert [entry.state(at) for at in (NOON, LATER - MOMENT, LATER)] == [STARTED, STARTED, UNKNOWN]
        assert waiting_for_a_person(journal, LATER) == (entry,)
        assert started(journal, "a") == entry

    def test_an_answer_that_comes_late_is_kept(self, journal: EffectJournal) -> None:
        started(journal, "a")
        journal.end("a", Outcome(UNKNOWN, "it did not answer in time"), at=LATER)
        assert isinstance(journal.end("a", PAID, at=LATER), Passed)
        assert waiting_for_a_person(journal, LATER) == ()

    def test_a_person_finds_out_what_nobody_knew(self, journal: EffectJournal) -> None:
        started(journal, "a")
        journal.end("a", Outcome(UNKNOWN, "it raised"), at=NOON)
        assert isinstance(
            journal.end("a", Outcome(NOT_DONE, "the bank has no such payment", by="anna"), at=LATER), Passed
        )
        assert journal.entries("a")[0].outcome == Outcome(NOT_DONE, "the bank has no such payment", by="anna")

    def test_what_is_done_or_not_done_stays_so(self, journal: EffectJournal) -> None:
        for key, outcome in (("a", PAID), ("b", Outcome(NOT_DONE))):
            started(journal, key)
            journal.end(key, outcome, at=NOON)
            for other in (PAID, Outcome(NOT_DONE), Outcome(UNKNOWN)):
                assert isinstance(journal.end(key, other, at=NOON), Blocked)
            assert journal.entries(key)[0].outcome == outcome

    def test_what_was_never_started_cannot_end(self, journal: EffectJournal) -> None:
        assert isinstance(journal.end("nobody's", PAID, at=NOON), Blocked)
        assert (journal.entries(), journal.entries("nobody's")) == ((), ())

    def test_entries_are_held_in_the_order_in_which_they_were_started(self, journal: EffectJournal) -> None:
        for key in ("c", "a", "b"):
            started(journal, key)
        journal.end("c", PAID, at=NOON)
        assert [(entry.intent.key, entry.state(NOON)) for entry in journal.entries()] == [
            ("c", DONE),
            ("a", STARTED),
            ("b", STARTED),
        ]

    def test_of_fifty_who_come_at_once_one_may_do_it(self, journal: EffectJournal) -> None:
        with ThreadPoolExecutor(50) as pool:
            found = list(pool.map(lambda _: started(journal, "a"), range(50)))
        assert found.count(None) == 1
