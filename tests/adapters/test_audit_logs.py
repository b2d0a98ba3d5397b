import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops_pipelines.adapters.sqlite_audit import SQLiteAuditLog, append_entry
from ops_pipelines.adapters.sqlite_control import ControlDatabase
from ops_pipelines.adapters.sqlite_principals import SQLitePrincipalStore
from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.core.audit import read_entry
from ops_pipelines.core.audit_coverage import judge_audit
from ops_pipelines.core.errors import DataError, LostRace
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.testing.audit_log import MONDAY, AuditLogConformance, InMemoryAuditLog, tell
from ops_pipelines.testing.principal_store import principal_of
from ops_pipelines.testing.release_store import move_after

SYSTEM = "flight_delay"
INSERT_MOVE = "INSERT INTO moves (system, environment, sequence, content, hash) VALUES (?, ?, ?, ?, ?)"
TABLES = ("audit", "moves", "principals")
COLUMNS = {"audit": ("content", "hash"), "moves": ("content", "hash", "system"), "principals": ("content", "digest")}


class TestInMemoryAuditLog(AuditLogConformance):
    @pytest.fixture
    def log(self) -> InMemoryAuditLog:
        return InMemoryAuditLog()


class TestSQLiteAuditLog(AuditLogConformance):
    @pytest.fixture
    def log(self, tmp_path: Path) -> SQLiteAuditLog:
        return SQLiteAuditLog(tmp_path / "control.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "control.db"


def promote(file: Path, release: str, environment: str = PRODUCTION) -> None:
    store = SQLiteReleaseStore(file)
    history = store.history(SYSTEM, environment)
    store.append(move_after(history[-1] if history else None, release, environment=environment))


def judged(file: Path, head: str | None = None) -> Verdict:
    return judge_audit(*SQLiteAuditLog(file).snapshot(), head)


def edited(file: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Changes by somebody who takes the triggers out first."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in TABLES:
            for name in ("change", "vanish", "replaced"):
                connection.execute(f"DROP TRIGGER {table}_never_{name}")
        for statement, values in statements:
            connection.execute(statement, values)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A control database of six moves and three principals, each with its entry."""
    file = tmp_path_factory.mktemp("kept") / "control.db"
    for release in "abcd":
        promote(file, release)
    for release in "ab":
        promote(file, release, "staging")
    for number, name in enumerate(("ada", "bob", "cyd"), start=1):
        SQLitePrincipalStore(file).register(principal_of(name, sequence=number))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert isinstance(judged(file), Passed)
    return file.read_bytes()


@pytest.fixture
def copied(kept: bytes, file: Path) -> Callable[[], Path]:
    """The file as it was kept, anew for each example."""

    def copy() -> Path:
        for part in file.parent.glob("control.db*"):
            part.unlink()
        file.write_bytes(kept)
        return file

    return copy


examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@examples
@given(table=st.sampled_from(TABLES), data=st.data())
def test_any_flipped_byte_of_any_row_is_found(copied, table: str, data: st.DataObject) -> None:
    file, column = copied(), data.draw(st.sampled_from(COLUMNS[table]))
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute(f"SELECT rowid_, CAST({column} AS BLOB) FROM {_numbered(table)}").fetchall()
    number, content = data.draw(st.sampled_from(rows))
    flipped = bytearray(content)
    flipped[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    change = f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE {_place(table)} = ?"
    edited(file, (change, (bytes(flipped), number)))
    assert isinstance(judged(file), Blocked)


@examples
@given(table=st.sampled_from(TABLES), data=st.data())
def test_any_row_that_was_deleted_is_found(copied, table: str, data) -> None:
    file = copied()
    with closing(sqlite3.connect(file)) as connection:
        places = [place for (place,) in connection.execute(f"SELECT rowid_ FROM {_numbered(table)}")]
    edited(file, (f"DELETE FROM {table} WHERE {_place(table)} = ?", (data.draw(st.sampled_from(places)),)))
    assert isinstance(judged(file), Blocked)


@examples
@given(table=st.sampled_from(TABLES), data=st.data())
def test_any_two_rows_that_changed_places_are_found(copied, table: str, data: st.DataObject) -> None:
    file, seal = copied(), "digest" if table == "principals" else "hash"
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute(f"SELECT rowid_, content, {seal} FROM {_numbered(table)}").fetchall()
    one, other = data.draw(st.permutations(rows))[:2]
    change = f"UPDATE {table} SET content = ?, {seal} = ? WHERE {_place(table)} = ?"
    edited(file, (change, (*other[1:], one[0])), (change, (*one[1:], other[0])))
    assert isinstance(judged(file), Blocked)


def _place(table: str) -> str:
    """What tells the rows of a table apart, as one text."""
    return "system || environment || sequence" if table == "moves" else "sequence"


def _numbered(table: str) -> str:
    return f"(SELECT {_place(table)} AS rowid_, * FROM {table})"


def test_the_last_entry_and_its_row_together_are_missed_only_by_a_head(file) -> None:
    for release in "ab":
        promote(file, release)
    head = SQLiteAuditLog(file).rows()[-1].hash
    edited(file, ("DELETE FROM audit WHERE sequence = 3", ()), ("DELETE FROM moves WHERE sequence = 2", ()))
    assert isinstance(judged(file), Passed)
    assert isinstance(judged(file, head), Blocked)


def test_a_move_that_came_in_by_another_way_than_the_store_is_named(file) -> None:
    promote(file, "a")
    (first,) = SQLiteReleaseStore(file).history(SYSTEM, PRODUCTION)
    forged = move_after(first, "b", actor="eve")
    edited(file, (INSERT_MOVE, (SYSTEM, PRODUCTION, 2, canonical_json(forged.to_json()).decode(), forged.hash)))
    assert judged(file).reasons == (
        "row 2 of flight_delay in production (moves) is told of by 0 entries and not by one",
    )


@pytest.mark.parametrize("content", ["{}", "[]", "5", "no JSON", '{"system": "flight_delay"}'])
def test_a_row_that_is_no_move_is_named_though_its_hash_holds(file, content) -> None:
    promote(file, "a")
    edited(file, (INSERT_MOVE, (SYSTEM, PRODUCTION, 2, content, digest_bytes(content.encode()))))
    assert judged(file).reasons[0].startswith("row 2 of flight_delay in production (moves) was edited")


def test_a_log_that_grows_while_it_is_judged_is_not_taken_for_a_changed_one(file) -> None:
    promote(file, "start")
    with ThreadPoolExecutor(1) as pool:
        growing = pool.submit(lambda: [promote(file, str(number)) for number in range(60)])
        found = [judged(file)]
        while not growing.done():
            found.append(judged(file))
    growing.result()
    assert [verdict for verdict in found if not isinstance(verdict, Passed)] == []


def test_a_move_that_lost_its_race_leaves_no_entry(file) -> None:
    promote(file, "a")
    with pytest.raises(LostRace):
        SQLiteReleaseStore(file).append(move_after(None, "b"))
    assert len(SQLiteAuditLog(file).rows()) == 2


def test_an_entry_is_lost_with_the_transaction_that_it_is_in(file) -> None:
    def fail_after_the_entry() -> None:
        with ControlDatabase(file).transaction() as connection:
            append_entry(connection, at=MONDAY, actor="ada", action="canary", subject=SYSTEM, facts={"share": 0.1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_the_entry()
    assert SQLiteAuditLog(file).rows() == ()


def test_nothing_is_written_after_an_entry_that_was_edited(file) -> None:
    promote(file, "a")
    edited(file, ("UPDATE audit SET content = replace(content, 'ada', 'eve') WHERE sequence = 2", ()))
    with pytest.raises(DataError, match=r"Entry 2 of the audit log was edited.*ops audit verify"):
        promote(file, "b")
    assert len(SQLiteReleaseStore(file).history(SYSTEM, PRODUCTION)) == 1


@pytest.fixture
def before_audits(file: Path) -> Path:
    """A file of moves from before there was an audit log."""
    for release in "abc":
        promote(file, release)
    edited(file, ("DELETE FROM audit", ()))
    return file


def test_a_home_from_before_the_audit_is_not_evaluated_until_something_happens(before_audits) -> None:
    assert isinstance(judged(before_audits), NotEvaluated)
    promote(before_audits, "d")
    found = judged(before_audits)
    assert isinstance(found, Passed)
    assert found.evidence["rows"] == {"moves": 4, "canaries": 0, "principals": 0}


def test_the_first_entry_of_an_older_home_covers_its_earlier_moves(before_audits) -> None:
    promote(before_audits, "d")
    (begins, *_) = SQLiteAuditLog(before_audits).rows()
    third = SQLiteReleaseStore(before_audits).history(SYSTEM, PRODUCTION)[2]
    assert read_entry(begins).facts["heads"] == [["moves", "flight_delay in production", 3, third.hash]]
    with closing(sqlite3.connect(before_audits)) as connection, connection:
        connection.execute("UPDATE moves SET content = replace(content, 'ada', 'eve') WHERE sequence = 2")
    assert "row 2 of flight_delay in production" in judged(before_audits).reasons[0]


@pytest.mark.parametrize("statement", ["UPDATE audit SET hash = 'x'", "DELETE FROM audit"])
def test_no_entry_can_be_edited(file, statement) -> None:
    tell(SQLiteAuditLog(file))
    with (
        closing(sqlite3.connect(file)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="appended and never"),
    ):
        connection.execute(statement)
