import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest

from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.adapters.sqlite_retraining import SQLiteRetrainingLog
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Release
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.testing.release_store import evidence_against, manifest_of, move_after
from ops_pipelines.testing.retraining_log import MemoryRetrainingLog, RetrainingLogConformance, request_of

ASKER = """
import sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_retraining import SQLiteRetrainingLog
from ops_pipelines.testing.retraining_log import request_of

log, me = SQLiteRetrainingLog(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
for key in sys.stdin:
    print(log.ask(request_of(key.strip(), actor=me)).actor, flush=True)
"""

VERSION_1 = """
CREATE TABLE manifests (
    digest TEXT PRIMARY KEY, system TEXT NOT NULL, sequence INTEGER NOT NULL UNIQUE, content TEXT NOT NULL
) STRICT;
CREATE TABLE evidence (
    release TEXT NOT NULL REFERENCES manifests (digest), digest TEXT NOT NULL, sequence INTEGER NOT NULL,
    content TEXT NOT NULL, PRIMARY KEY (release, digest), UNIQUE (release, sequence)
) STRICT;
CREATE TABLE moves (
    system TEXT NOT NULL, environment TEXT NOT NULL, sequence INTEGER NOT NULL, content TEXT NOT NULL,
    hash TEXT NOT NULL, PRIMARY KEY (system, environment, sequence)
) STRICT;
CREATE TRIGGER manifests_never_change BEFORE UPDATE ON manifests
    BEGIN SELECT RAISE(ABORT, 'manifests: rows are appended and never changed'); END;
CREATE TRIGGER manifests_never_vanish BEFORE DELETE ON manifests
    BEGIN SELECT RAISE(ABORT, 'manifests: rows are appended and never deleted'); END;
CREATE TRIGGER manifests_never_replaced BEFORE INSERT ON manifests
    WHEN EXISTS (SELECT 1 FROM manifests WHERE digest = NEW.digest OR sequence = NEW.sequence)
    BEGIN SELECT RAISE(ABORT, 'manifests: rows are appended and never replaced'); END;
CREATE TRIGGER evidence_never_change BEFORE UPDATE ON evidence
    BEGIN SELECT RAISE(ABORT, 'evidence: rows are appended and never changed'); END;
CREATE TRIGGER evidence_never_vanish BEFORE DELETE ON evidence
    BEGIN SELECT RAISE(ABORT, 'evidence: rows are appended and never deleted'); END;
CREATE TRIGGER evidence_never_replaced BEFORE INSERT ON evidence
    WHEN EXISTS (SELECT 1 FROM evidence WHERE release = NEW.release AND (digest = NEW.digest OR sequence = NEW.sequence))
    BEGIN SELECT RAISE(ABORT, 'evidence: rows are appended and never replaced'); END;
CREATE TRIGGER moves_never_change BEFORE UPDATE ON moves
    BEGIN SELECT RAISE(ABORT, 'moves: rows are appended and never changed'); END;
CREATE TRIGGER moves_never_vanish BEFORE DELETE ON moves
    BEGIN SELECT RAISE(ABORT, 'moves: rows are appended and never deleted'); END;
CREATE TRIGGER moves_never_replaced BEFORE INSERT ON moves
    WHEN EXISTS (SELECT 1 FROM moves WHERE (system, environment, sequence) = (NEW.system, NEW.environment, NEW.sequence))
    BEGIN SELECT RAISE(ABORT, 'moves: rows are appended and never replaced'); END;
PRAGMA application_id = 0x6F707321;
PRAGMA user_version = 1;
"""
"""The first schema as files in use have it, written out so that an edit of the first migration is noticed."""


class TestMemoryRetrainingLog(RetrainingLogConformance):
    @pytest.fixture
    def log(self) -> MemoryRetrainingLog:
        return MemoryRetrainingLog()


class TestSQLiteRetrainingLog(RetrainingLogConformance):
    @pytest.fixture
    def log(self, tmp_path: Path) -> SQLiteRetrainingLog:
        return SQLiteRetrainingLog(tmp_path / "control.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "control.db"


@pytest.fixture
def filled(file: Path) -> Path:
    """A file with two rows and a release."""
    for key in ("a", "b"):
        SQLiteRetrainingLog(file).ask(request_of(key))
    keep_release(file)
    return file


@pytest.fixture
def version_1(filled: Path, tmp_path: Path) -> Path:
    """A file of schema version 1 with the same release."""
    older = tmp_path / "older.db"
    with closing(sqlite3.connect(older)) as connection:
        connection.executescript(VERSION_1)
        connection.execute("ATTACH ? AS newer", (str(filled),))
        for table in ("manifests", "evidence", "moves"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM newer.{table}")
        connection.commit()
    return older


def test_sixteen_threads_that_ask_with_one_key_get_one_row(file: Path) -> None:
    standing = ask_at_once(file, 16)
    assert standing == set(SQLiteRetrainingLog(file).requests("flight_delay"))
    assert len(standing) == 1


def test_processes_that_ask_with_one_key_get_one_row(file: Path) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    actors, keys = ("ada", "bob", "eve", "zoe"), [f"key {number}" for number in range(10)]
    with ExitStack() as stack:
        command = [sys.executable, "-c", ASKER, str(file)]
        askers = [stack.enter_context(subprocess.Popen([*command, actor], **pipes)) for actor in actors]
        assert [asker.stdout.readline() for asker in askers] == ["ready\n"] * 4
        standing = {key: told(askers, key) for key in keys}
        for asker in askers:
            asker.stdin.close()
    rows = SQLiteRetrainingLog(file).requests("flight_delay")
    assert {row.key: [row.actor] * 4 for row in rows} == standing
    assert [row.key for row in rows] == keys


def test_what_was_asked_is_there_for_the_next_process(filled: Path) -> None:
    assert SQLiteRetrainingLog(filled).requests("flight_delay") == (request_of("a"), request_of("b"))


def test_the_log_and_the_releases_share_a_file_and_not_their_rows(filled: Path) -> None:
    assert len(SQLiteRetrainingLog(filled).requests("flight_delay")) == 2
    assert len(SQLiteReleaseStore(filled).releases("flight_delay")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE retraining SET content = '{}'",
        "DELETE FROM retraining",
        "INSERT OR REPLACE INTO retraining SELECT * FROM retraining",
        "INSERT OR REPLACE INTO retraining SELECT 'another', system, sequence, content, digest FROM retraining",
        "INSERT INTO retraining SELECT * FROM retraining WHERE true ON CONFLICT (key) DO UPDATE SET content = '{}'",
    ],
    ids=["updated", "deleted", "replaced by key", "replaced by sequence", "inserted or updated"],
)
def test_no_row_can_be_edited(filled: Path, statement: str) -> None:
    with (
        closing(sqlite3.connect(filled)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="rows are appended and never"),
    ):
        connection.execute(statement)


def test_no_row_can_be_replaced_by_a_number_that_no_trigger_looks_at(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection, pytest.raises(sqlite3.OperationalError, match="rowid"):
        connection.execute(
            "INSERT OR REPLACE INTO retraining (rowid, key, system, sequence, content, digest) "
            "VALUES (1, 'another', 'flight_delay', 9, '{}', '')"
        )


@pytest.mark.parametrize(
    "edit",
    [
        "content = replace(content, 'ada', 'eve')",
        "content = replace(content, '1', 'NaN')",
        "content = 'no JSON'",
        "key = 'another'",
        "(content, digest) = (SELECT content, digest FROM retraining WHERE key = 'b')",
    ],
    ids=["actor", "not a number", "not JSON", "key", "another row's content"],
)
def test_an_edit_around_the_triggers_is_noticed_on_reading(filled: Path, edit: str) -> None:
    edit_around(filled, f"UPDATE retraining SET {edit} WHERE key = 'a'")
    with pytest.raises(DataError, match="was edited"):
        SQLiteRetrainingLog(filled).requests("flight_delay")


def test_a_row_that_was_given_to_another_system_is_noticed_there(filled: Path) -> None:
    edit_around(filled, "UPDATE retraining SET system = 'desk' WHERE key = 'a'")
    with pytest.raises(DataError, match="was edited"):
        SQLiteRetrainingLog(filled).requests("desk")


def test_an_edited_row_is_noticed_by_whoever_asks_with_its_key(filled: Path) -> None:
    edit_around(filled, "UPDATE retraining SET content = replace(content, 'ada', 'eve') WHERE key = 'a'")
    with pytest.raises(DataError, match="was edited"):
        SQLiteRetrainingLog(filled).ask(request_of("a"))


def test_a_file_of_the_first_version_is_migrated_and_keeps_its_releases(version_1: Path) -> None:
    log, store = SQLiteRetrainingLog(version_1), SQLiteReleaseStore(version_1)
    assert log.ask(request_of("a")) == request_of("a")
    assert store.releases("flight_delay") == (Release(manifest_of("a"), (evidence_against(None),)),)
    assert store.history("flight_delay", PRODUCTION) == (move_after(None, manifest_of("a").digest),)


def test_a_migrated_file_has_the_schema_of_a_new_one(version_1: Path, filled: Path) -> None:
    before = schema(version_1)
    SQLiteReleaseStore(version_1).releases("flight_delay")
    assert before < schema(version_1)
    assert schema(version_1) == schema(filled)


def test_threads_that_find_a_file_of_the_first_version_migrate_it_once(version_1: Path) -> None:
    assert len(ask_at_once(version_1, 16)) == 1
    assert len(SQLiteReleaseStore(version_1).releases("flight_delay")) == 1


def test_a_log_in_a_file_of_another_program_is_refused(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE retraining (key)")
    with pytest.raises(DataError, match="another program"):
        SQLiteRetrainingLog(file).ask(request_of("a"))


def test_making_a_log_touches_no_file(file: Path) -> None:
    SQLiteRetrainingLog(file)
    assert not file.parent.exists()


def test_a_file_that_stays_locked_is_an_error_and_not_a_hang(filled: Path) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match="locked"):
            SQLiteRetrainingLog(filled, timeout_seconds=0.05).ask(request_of("c"))
        assert len(SQLiteRetrainingLog(filled, timeout_seconds=0.05).requests("flight_delay")) == 2


def ask_at_once(file: Path, threads: int) -> set[Request]:
    """The rows that so many threads got, each asking with the same key through a log of its own."""
    start = Barrier(threads)

    def ask(number: int) -> Request:
        log = SQLiteRetrainingLog(file)
        start.wait()
        return log.ask(request_of("one key", actor=f"actor {number}"))

    with ThreadPoolExecutor(threads) as pool:
        return set(pool.map(ask, range(threads)))


def told(processes: list[subprocess.Popen[str]], line: str) -> list[str]:
    for process in processes:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in processes]


def keep_release(file: Path) -> None:
    store = SQLiteReleaseStore(file)
    store.save(manifest_of("a"), evidence_against(None))
    store.append(move_after(None, manifest_of("a").digest))


def edit_around(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TRIGGER retraining_never_change")
        connection.execute(statement)


def schema(file: Path) -> set[tuple[str, str]]:
    """Every table and trigger of a file with its text, whatever the white space."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {(name, " ".join(sql.split())) for name, sql in rows}
