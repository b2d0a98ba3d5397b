import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_audit import SQLiteAuditLog
from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.core.audit import BEGINS, read_entry
from ops_pipelines.core.audit_coverage import judge_audit
from ops_pipelines.core.errors import DataError, LostRace
from ops_pipelines.core.pointer import PRODUCTION, check_chain
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Passed
from ops_pipelines.testing.release_store import (
    InMemoryReleaseStore,
    ReleaseStoreConformance,
    evidence_against,
    manifest_of,
    move_after,
)

ROOT = Path(__file__).parents[2]

PROMOTER = """
import sys
from datetime import datetime
from pathlib import Path
from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.pointer import Decision, live_release, promote
from ops_pipelines.core.release import Release
from ops_pipelines.testing.release_store import NEW_YEAR, evidence_against, manifest_of

store, me = SQLiteReleaseStore(Path(sys.argv[1])), sys.argv[2]
for line in sys.stdin:
    live = live_release(store, "flight_delay", "production")
    manifest, evidence = manifest_of(me + line), evidence_against(live.digest if live else None)
    store.save(manifest, evidence)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        decision = Decision(me, "race", NEW_YEAR, NEW_YEAR)
        promote(store, Release(manifest, (evidence,)), decision, resolves=lambda name, digest: True)
        print("won", flush=True)
    except ReleaseError:
        print("lost", flush=True)
"""

PLATFORM_PROMOTER = """
import sys
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.errors import LostRace, NotPromotable
from ops_pipelines.core.pointer import live_release
from ops_pipelines.core.release import Manifest
from ops_pipelines.testing.release_store import evidence_against

platform, me = Platform.embedded(), sys.argv[1]
for line in sys.stdin:
    system, number = line.split()
    live = live_release(platform.releases, system, "production")
    manifest = Manifest(system, {"model": platform.objects.put(f"{me} {number}".encode())})
    platform.releases.save(manifest, evidence_against(live.digest if live else None))
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        platform.promote(system, manifest.digest, actor=me, reason=f"race {number}")
        print("won", flush=True)
    except (LostRace, NotPromotable) as error:
        print(f"lost: {error}".replace("\\n", " "), flush=True)
"""


class TestInMemoryReleaseStore(ReleaseStoreConformance):
    @pytest.fixture
    def store(self) -> InMemoryReleaseStore:
        return InMemoryReleaseStore()


class TestSQLiteReleaseStore(ReleaseStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteReleaseStore:
        return SQLiteReleaseStore(tmp_path / "control.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "control.db"


@pytest.fixture
def filled(file: Path) -> Path:
    store = SQLiteReleaseStore(file)
    store.save(manifest_of("a"), evidence_against(None))
    store.append(move_after(None, manifest_of("a").digest))
    return file


def test_two_processes_that_promote_at_once_never_both_win(file: Path) -> None:
    command = [sys.executable, "-c", PROMOTER, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen([*command, "ada"], **pipes) as ada, subprocess.Popen([*command, "bob"], **pipes) as bob:
        for number in range(20):
            assert _told([ada, bob], f"prepare {number}") == ["ready", "ready"]
            assert sorted(_told([ada, bob], "go")) == ["lost", "won"]
        for process in (ada, bob):
            process.stdin.close()
    history = SQLiteReleaseStore(file).history("flight_delay", PRODUCTION)
    assert len(history) == 20
    check_chain(history)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_of_a_thousand_promotions_at_once_each_has_one_winner_and_one_who_is_told_why(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").touch()
    command = [sys.executable, "-c", PLATFORM_PROMOTER]
    plain = {name: value for name, value in os.environ.items() if name not in ("OPS_HOME", "OPS_TOKEN")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    where = {"cwd": tmp_path, "env": {**plain, "PYTHONPATH": str(ROOT)}}
    with (
        subprocess.Popen([*command, "ada"], **pipes, **where) as ada,
        subprocess.Popen([*command, "bob"], **pipes, **where) as bob,
    ):
        for number in range(1000):
            assert _told([ada, bob], f"system_{number // 50} {number}") == ["ready", "ready"]
            lost, won = sorted(_told([ada, bob], "go"))
            assert won == "won"
            assert "moved while" in lost or "gate it again" in lost
        for process in (ada, bob):
            process.stdin.close()
    rows, covered = SQLiteAuditLog(tmp_path / ".ops" / "control.db").snapshot()
    assert isinstance(judge_audit(rows, covered), Passed)
    assert [read_entry(row).action for row in rows] == [BEGINS, *["promote"] * 1000]


def test_two_threads_that_save_and_append_lose_nothing(file: Path) -> None:
    store = SQLiteReleaseStore(file)

    def work(actor: str) -> None:
        for number in range(10):
            store.save(manifest_of(f"{actor}{number}"), evidence_against(None))
            while not _appended(store, manifest_of(f"{actor}{number}").digest):
                pass

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, ["ada", "bob"]))
    assert len(store.releases("flight_delay")) == len(store.history("flight_delay", PRODUCTION)) == 20


def test_what_was_kept_is_there_for_the_next_process(filled: Path) -> None:
    reopened = SQLiteReleaseStore(filled)
    assert reopened.releases("flight_delay") == (Release(manifest_of("a"), (evidence_against(None),)),)
    assert reopened.history("flight_delay", PRODUCTION) == (move_after(None, manifest_of("a").digest),)


@pytest.mark.parametrize("table", ["manifests", "evidence", "moves"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {0} SET content = '{{}}'", "DELETE FROM {0}", "INSERT OR REPLACE INTO {0} SELECT * FROM {0}"],
    ids=["updated", "deleted", "replaced"],
)
def test_no_row_can_be_edited(filled: Path, table: str, statement: str) -> None:
    with (
        closing(sqlite3.connect(filled)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="rows are appended and never"),
    ):
        connection.execute(statement.format(table))


@pytest.mark.parametrize(
    ("table", "edited"), [("manifests", '"flight_delay"'), ("evidence", '"run-1"'), ("moves", '"ada"')]
)
def test_an_edit_around_the_triggers_is_noticed_on_reading(filled: Path, table: str, edited: str) -> None:
    with closing(sqlite3.connect(filled)) as connection, connection:
        connection.execute(f"DROP TRIGGER {table}_never_change")
        connection.execute(f"UPDATE {table} SET content = replace(content, ?, '\"mallory\"')", (edited,))
    store = SQLiteReleaseStore(filled)
    with pytest.raises(DataError, match="was edited"):
        store.releases("flight_delay"), store.history("flight_delay", PRODUCTION)


def test_a_failed_save_leaves_neither_manifest_nor_evidence(file: Path) -> None:
    store = SQLiteReleaseStore(file)
    with pytest.raises(ValueError, match="JSON"):
        store.save(manifest_of("a"), evidence_against(None, run=float("nan")))  # type: ignore[arg-type]
    assert store.releases("flight_delay") == ()


def test_making_a_store_touches_no_file(file: Path) -> None:
    SQLiteReleaseStore(file)
    assert not file.parent.exists()


def test_a_file_that_is_no_database_is_named_in_the_error(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"what happened to my database? " * 100)
    with pytest.raises(DataError, match=r"control\.db cannot be used: file is not a database.*Expected.*Restore"):
        SQLiteReleaseStore(file).history("flight_delay", PRODUCTION)


def test_a_damaged_file_is_named_in_the_error(filled: Path) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[:1024] + b"\xff" * (len(content) - 1024))
    with pytest.raises(DataError, match=r"control\.db cannot be used"):
        SQLiteReleaseStore(filled).releases("flight_delay")


def test_a_database_of_another_program_is_refused_and_left_alone(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE manifests (digest)")
    before = file.read_bytes()
    with pytest.raises(DataError, match="another program"):
        SQLiteReleaseStore(file).releases("flight_delay")
    assert file.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="schema 99"):
        SQLiteReleaseStore(filled).releases("flight_delay")


def test_a_file_that_stays_locked_is_an_error_and_not_a_hang(filled: Path) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match="locked"):
            SQLiteReleaseStore(filled, timeout_seconds=0.05).save(manifest_of("b"), evidence_against(None))


def test_readers_do_not_wait_for_a_writer(filled: Path) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert len(SQLiteReleaseStore(filled, timeout_seconds=0.05).releases("flight_delay")) == 1


def _told(processes: list[subprocess.Popen[str]], line: str) -> list[str]:
    for process in processes:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in processes]


def _appended(store: SQLiteReleaseStore, release: str) -> bool:
    history = store.history("flight_delay", PRODUCTION)
    try:
        store.append(move_after(history[-1] if history else None, release))
    except LostRace:
        return False
    return True


def test_whoever_only_reads_makes_neither_a_file_nor_its_folder(tmp_path):
    with pytest.raises(DataError):
        SQLiteReleaseStore(tmp_path / "home" / "control.db", create=False).history("flight_delay", PRODUCTION)
    assert not (tmp_path / "home").exists()


def test_whoever_only_reads_leaves_an_empty_file_as_it_is(tmp_path):
    (tmp_path / "control.db").touch()
    with pytest.raises(DataError):
        SQLiteReleaseStore(tmp_path / "control.db", create=False).releases("flight_delay")
    assert (tmp_path / "control.db").read_bytes() == b""
