from datetime import UTC, datetime

from ops_pipelines.core.audit import BEGINS, Entry, Row, entry_after, row_of
from ops_pipelines.core.audit_coverage import MOVES, Covered, heads_of, judge_audit
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)
ABOUT = "flight_delay in production"


def row(number: int, of: str | None = None, *, about: str = ABOUT) -> Covered:
    return Covered(MOVES, about, number, of or f"hash of {number}")


def log_of(*told: str, heads: list[Covered] | None = None) -> list[Row]:
    """A log that began with some heads and tells of the moves with these hashes."""
    said = {"actor": "ada", "subject": "flight_delay"}
    entries: list[Entry] = [entry_after(None, at=MONDAY, action=BEGINS, facts={"heads": heads_of(heads or [])}, **said)]
    for of in told:
        entries.append(entry_after(entries[-1], at=MONDAY, action="promote", facts={MOVES: of}, **said))
    return [row_of(entry) for entry in entries]


def judged(log: list[Row], *rows: Covered):
    return judge_audit(log, {MOVES: rows})


def test_rows_that_are_each_told_of_once_pass() -> None:
    found = judged(log_of("hash of 1", "hash of 2"), row(1), row(2))
    assert isinstance(found, Passed)
    assert found.evidence["rows"] == {MOVES: 2}


def test_a_row_that_nothing_tells_of_is_named() -> None:
    found = judged(log_of("hash of 1"), row(1), row(2))
    assert found.reasons == (f"row 2 of {ABOUT} (moves) is told of by 0 entries and not by one",)


def test_a_row_that_two_entries_tell_of_is_named() -> None:
    found = judged(log_of("hash of 1", "hash of 1"), row(1))
    assert found.reasons == (f"row 1 of {ABOUT} (moves) is told of by 2 entries and not by one",)


def test_an_entry_whose_row_was_taken_out_is_named() -> None:
    assert judged(log_of("hash of 1", "hash of 2"), row(1)).reasons == (
        "entry 3 tells of a row of moves that is not there",
    )


def test_a_row_that_was_edited_is_named() -> None:
    edited = Covered(MOVES, ABOUT, 1, None)
    assert judged(log_of("hash of 1"), edited).reasons[0].startswith(f"row 1 of {ABOUT} (moves) was edited")


def test_rows_from_before_the_log_began_are_covered_by_its_heads() -> None:
    log = log_of("hash of 3", heads=[row(1), row(2)])
    assert isinstance(judged(log, row(1), row(2), row(3)), Passed)


def test_each_pointer_has_a_head_of_its_own() -> None:
    other = row(1, "the other's", about="flight_delay in staging")
    log = log_of("hash of 2", heads=[row(1), other])
    assert isinstance(judged(log, row(1), row(2), other), Passed)
    assert isinstance(judged(log, row(1), row(2)), Blocked)


def test_an_earlier_row_that_was_written_anew_is_no_longer_the_head() -> None:
    log = log_of(heads=[row(1), row(2)])
    found = judged(log, row(1), row(2, "another"))
    assert found.reasons == (f"row 2 of {ABOUT} (moves) is not there, and was when the log began",)


def test_a_broken_chain_is_told_and_nothing_else_is_believed() -> None:
    found = judged(log_of("hash of 1")[:1] * 2, row(1))
    assert isinstance(found, Blocked)
    assert "entry 1 was put in" in found.reasons[0]


def test_an_empty_log_judges_nothing() -> None:
    assert isinstance(judged([], row(1)), NotEvaluated)
