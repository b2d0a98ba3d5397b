"""Whether control.db was written is told without writing it, and one that is not there is not made."""

import shutil
import sqlite3

import pytest

from ops_pipelines.adapters.pointer_watch import PointerWatch
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.served import ServedHome


@pytest.fixture
def home(tmp_path):
    made = ServedHome.at(tmp_path)
    made.make_live(made.publish_linear(0.0))
    return made


@pytest.fixture
def watch(home, tmp_path):
    made = PointerWatch(tmp_path / "control.db")
    assert made.has_changed()
    yield made
    made.close()


def test_what_nobody_wrote_has_not_changed(watch):
    assert [watch.has_changed() for _ in range(3)] == [False] * 3


def test_a_move_of_the_pointer_is_seen_once(watch, home):
    home.make_live(home.publish_linear(1.0))
    assert [watch.has_changed(), watch.has_changed()] == [True, False]


def test_a_file_that_is_gone_is_an_error_and_is_not_made_anew(watch, tmp_path):
    shutil.move(tmp_path / "control.db", tmp_path / "aside")
    for _ in range(2):
        with pytest.raises(DataError, match="cannot be read"):
            watch.has_changed()
    assert not (tmp_path / "control.db").exists()
    shutil.move(tmp_path / "aside", tmp_path / "control.db")
    assert [watch.has_changed(), watch.has_changed()] == [True, False]


@pytest.mark.parametrize("content", [b"", b"no database" * 1000], ids=["empty", "garbage"])
def test_what_is_no_control_database_is_an_error(watch, tmp_path, content):
    (tmp_path / "aside").write_bytes(content)
    (tmp_path / "aside").rename(tmp_path / "control.db")
    for name in ("control.db-wal", "control.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(DataError):
        watch.has_changed()


def test_another_programs_database_is_an_error(tmp_path):
    with sqlite3.connect(tmp_path / "control.db") as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(DataError, match="holds no releases"):
        PointerWatch(tmp_path / "control.db").has_changed()


def test_one_that_is_locked_by_another_process_is_an_error_until_it_is_free(watch, tmp_path):
    locker = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    watch.close()
    locker.execute("PRAGMA locking_mode = EXCLUSIVE")
    locker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DataError, match="locked"):
        watch.has_changed()
    locker.execute("COMMIT")
    locker.close()
    assert watch.has_changed()


def test_a_backup_that_was_copied_over_the_file_is_followed(watch, home, tmp_path):
    with sqlite3.connect(tmp_path / "backup.db") as backup, sqlite3.connect(tmp_path / "control.db") as live:
        live.backup(backup)
    backup.close()
    live.close()
    home.make_live(home.publish_linear(1.0))
    assert watch.has_changed()
    shutil.copyfile(tmp_path / "backup.db", tmp_path / "control.db")
    for name in ("control.db-wal", "control.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert watch.has_changed()
    home.make_live(home.publish_linear(2.0))
    assert watch.has_changed()
