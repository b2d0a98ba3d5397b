import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_canaries import SQLiteCanaryStore
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.canary_store import HERE, CanaryStoreConformance, MemoryCanaryStore, canary_of, ending_of


class TestMemoryCanaryStore(CanaryStoreConformance):
    @pytest.fixture
    def store(self) -> MemoryCanaryStore:
        return MemoryCanaryStore()


class TestSQLiteCanaryStore(CanaryStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteCanaryStore:
        return SQLiteCanaryStore(tmp_path / "control.db")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A file with one canary that ended and one that runs."""
    store = SQLiteCanaryStore(tmp_path / "control.db")
    store.begin(canary_of("1" * 64))
    store.end(ending_of(canary_of("1" * 64)))
    store.begin(canary_of("2" * 64))
    return tmp_path / "control.db"


def test_what_was_begun_is_there_for_the_next_process(filled: Path) -> None:
    assert SQLiteCanaryStore(filled).running(*HERE) == canary_of("2" * 64)
    assert [canary.candidate for canary, _ in SQLiteCanaryStore(filled).past(*HERE)] == ["1" * 64]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE canaries SET content = '{}'",
        "DELETE FROM canaries",
        "INSERT OR REPLACE INTO canaries SELECT * FROM canaries",
    ],
    ids=["updated", "deleted", "replaced"],
)
def test_no_row_can_be_edited(filled: Path, statement: str) -> None:
    with (
        closing(sqlite3.connect(filled)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="rows are appended and never"),
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    "edit",
    ["content = replace(content, '0.1', '0.9')", "environment = 'staging'"],
    ids=["share", "environment"],
)
def test_an_edit_around_the_triggers_is_noticed_on_reading(filled: Path, edit: str) -> None:
    with closing(sqlite3.connect(filled)) as connection, connection:
        connection.execute("DROP TRIGGER canaries_never_change")
        connection.execute(f"UPDATE canaries SET {edit} WHERE sequence = 3")
    environment = "staging" if "staging" in edit else HERE[1]
    with pytest.raises(DataError, match="was edited"):
        SQLiteCanaryStore(filled).running(HERE[0], environment)
