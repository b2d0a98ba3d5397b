from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.audit import BEGINS, Entry, Row, entry_after, read_entry, row_of, verify
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)
places = st.integers(0, 7)


def log_of(length: int, *, actor: str = "ada", first: str = BEGINS) -> list[Row]:
    """A log of some entries, the one that begins it included."""
    entries: list[Entry] = []
    for number in range(length):
        action = first if number == 0 else "promote"
        last = entries[-1] if entries else None
        told = {"actor": actor, "action": action, "subject": "flight_delay", "facts": {"number": number, "heads": []}}
        entries.append(entry_after(last, at=MONDAY, **told))
    return [row_of(entry) for entry in entries]


def reason(verdict: Verdict) -> str:
    assert isinstance(verdict, Blocked), verdict
    return verdict.reasons[0]


def test_a_log_as_it_was_written_passes_with_its_head() -> None:
    rows = log_of(8)
    assert verify(rows) == Passed({"entries": 8, "head": rows[-1].hash})


def test_an_entry_comes_back_from_its_row() -> None:
    assert row_of(read_entry(log_of(3)[2])) == log_of(3)[2]


@pytest.mark.parametrize(
    ("began", "told"),
    [(MONDAY + timedelta(seconds=1), MONDAY + timedelta(seconds=1)), (MONDAY - timedelta(seconds=3), MONDAY)],
    ids=["later", "a moment earlier"],
)
def test_of_two_acts_at_once_the_one_written_second_is_never_told_as_the_earlier(
    began: datetime, told: datetime
) -> None:
    entry = entry_after(read_entry(log_of(2)[-1]), at=began, actor="bob", action="promote", subject="desk", facts={})
    assert entry.at == told


def test_a_clock_that_was_put_back_shows() -> None:
    yesterday = MONDAY - timedelta(days=1)
    last = read_entry(log_of(2)[-1])
    assert entry_after(last, at=yesterday, actor="b", action="promote", subject="desk", facts={}).at == yesterday


def test_an_empty_log_is_no_pass() -> None:
    assert isinstance(verify([]), NotEvaluated)


def test_an_empty_log_is_refused_where_a_head_was_noted() -> None:
    assert "no entry has the head" in reason(verify([], expected_head="ab" * 32))


@given(places, st.data())
def test_any_flipped_byte_is_found_and_its_entry_named(place: int, data: st.DataObject) -> None:
    rows = log_of(8)
    content = bytearray(rows[place].content)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    rows[place] = replace(rows[place], content=bytes(content))
    assert reason(verify(rows)).startswith(f"entry {place + 1} was edited")


@given(places, st.data())
def test_any_flipped_digit_of_a_hash_is_found_and_its_entry_named(place: int, data: st.DataObject) -> None:
    rows = log_of(8)
    at = data.draw(st.integers(0, 63))
    rows[place] = replace(rows[place], hash=rows[place].hash[:at] + "x" + rows[place].hash[at + 1 :])
    assert reason(verify(rows)).startswith(f"entry {place + 1} was edited")


@given(st.integers(0, 6))
def test_any_entry_that_was_taken_out_is_named(place: int) -> None:
    rows = log_of(8)
    del rows[place]
    assert reason(verify(rows)) == f"entry {place + 1} is missing"


def test_a_gap_is_named_from_its_first_entry_to_its_last() -> None:
    rows = log_of(8)
    assert reason(verify(rows[:2] + rows[5:])) == "entries 3 to 5 are missing"


@given(st.integers(0, 6))
def test_any_entry_that_was_taken_out_is_found_when_those_after_it_are_numbered_anew(place: int) -> None:
    rows = log_of(8)
    del rows[place]
    renumbered = [replace(row, sequence=number) for number, row in enumerate(rows, start=1)]
    assert reason(verify(renumbered)).startswith(f"entry {place + 1} does not follow the one before")


@given(places, places)
def test_any_two_entries_that_changed_places_are_found(one: int, other: int) -> None:
    rows = log_of(8)
    swapped = list(rows)
    swapped[one], swapped[other] = (
        replace(rows[other], sequence=rows[one].sequence),
        replace(rows[one], sequence=rows[other].sequence),
    )
    if one == other:
        assert isinstance(verify(swapped), Passed)
    else:
        assert reason(verify(swapped)).startswith(f"entry {min(one, other) + 1} does not follow")


@given(st.integers(1, 7))
def test_any_entry_that_was_put_in_is_found(place: int) -> None:
    rows = log_of(8)
    forged = entry_after(
        read_entry(rows[place - 1]), at=MONDAY, actor="eve", action="promote", subject="x", facts={"heads": []}
    )
    after = [replace(row, sequence=row.sequence + 1) for row in rows[place:]]
    found = verify([*rows[:place], row_of(forged), *after])
    assert reason(found).startswith(f"entry {place + 2} does not follow")


def test_an_entry_before_the_first_is_found() -> None:
    rows = log_of(3)
    assert reason(verify([replace(rows[0], sequence=0), *rows])) == "entry 0 was put in"


def test_an_edit_whose_hash_was_computed_anew_breaks_the_entry_after_it() -> None:
    rows = log_of(8)
    edited = rows[3].content.replace(b"ada", b"eve")
    rows[3] = Row(4, edited, digest_bytes(edited))
    assert reason(verify(rows)).startswith("entry 5 does not follow")


def test_the_removal_of_the_last_entry_is_found_by_a_head_alone() -> None:
    rows = log_of(8)
    assert isinstance(verify(rows[:-1]), Passed)
    assert "no entry has the head" in reason(verify(rows[:-1], expected_head=rows[-1].hash))


def test_a_log_that_was_written_anew_is_found_by_a_head_alone() -> None:
    noted, anew = log_of(8)[-1].hash, log_of(8, actor="eve")
    assert isinstance(verify(anew), Passed)
    assert "written anew" in reason(verify(anew, expected_head=noted))


def test_a_head_that_was_noted_earlier_stays_good_while_the_log_grows() -> None:
    assert isinstance(verify(log_of(8), expected_head=log_of(5)[-1].hash), Passed)


@pytest.mark.parametrize("head", ["", "abcdef123456", "ab" * 33])
def test_a_part_of_a_hash_is_no_head(head: str) -> None:
    with pytest.raises(ConfigError, match="all 64 digits"):
        verify(log_of(2), expected_head=head)


def test_a_log_begins_with_its_beginning_and_only_there() -> None:
    assert reason(verify(log_of(3, first="promote"))) == "entry 1 is not the log's beginning"
    begun = log_of(1)
    again = entry_after(read_entry(begun[0]), at=MONDAY, actor="eve", action=BEGINS, subject="x", facts={})
    assert reason(verify([*begun, row_of(again)])) == "entry 2 is not where a log begins"


def test_a_text_that_is_no_entry_is_found_though_its_hash_holds() -> None:
    content = b'{"sequence": 1}'
    assert "cannot be read" in reason(verify([Row(1, content, digest_bytes(content))]))


def test_many_breaks_are_not_all_spelled_out() -> None:
    rows = [replace(row, content=b"") for row in log_of(20)]
    found = verify(rows)
    assert isinstance(found, Blocked)
    assert (len(found.reasons), found.reasons[-1]) == (6, "and 15 more")
