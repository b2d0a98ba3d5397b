import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_audit import SQLiteAuditLog
from ops_pipelines.adapters.sqlite_principals import SQLitePrincipalStore
from ops_pipelines.core.audit import read_entry
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.principal import PROMOTER, Grant, revoke, token_digest
from ops_pipelines.testing.principal_store import (
    MONDAY,
    InMemoryPrincipalStore,
    PrincipalStoreConformance,
    principal_of,
)


class TestInMemoryPrincipalStore(PrincipalStoreConformance):
    @pytest.fixture
    def store(self) -> InMemoryPrincipalStore:
        return InMemoryPrincipalStore()


class TestSQLitePrincipalStore(PrincipalStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLitePrincipalStore:
        return SQLitePrincipalStore(tmp_path / "control.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "control.db"


@pytest.fixture
def store(file: Path) -> SQLitePrincipalStore:
    store = SQLitePrincipalStore(file)
    store.register(principal_of("ada"))
    store.register(principal_of("bob", Grant(PROMOTER, "flight_delay"), sequence=2, token="ops_bobs_token"))
    return store


def edit(file: Path, statement: str, *values: str) -> None:
    """A change by somebody who takes the triggers out first."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for action in ("change", "vanish"):
            connection.execute(f"DROP TRIGGER principals_never_{action}")
        connection.execute(statement, values)


def test_a_row_and_its_audit_entry_are_written_together(store, file) -> None:
    entries = [read_entry(row) for row in SQLiteAuditLog(file).rows()]
    assert [(entry.action, entry.subject, entry.actor) for entry in entries[1:]] == [
        ("add principal", "principal ada", "ada"),
        ("add principal", "principal bob", "ada"),
    ]
    assert entries[2].facts["granted"] == ["promoter of flight_delay in every environment"]


def test_a_revocation_has_its_entry_too(store, file) -> None:
    store.register(revoke(store.everybody(), "bob", by="ada", at=MONDAY))
    assert read_entry(SQLiteAuditLog(file).rows()[-1]).action == "revoke principal"
    assert len(SQLiteAuditLog(file).rows()) == 4


def test_neither_a_token_nor_its_digest_is_in_the_audit_and_no_token_in_the_file(store, file) -> None:
    audit = b"".join(row.content for row in SQLiteAuditLog(file).rows()).decode()
    assert [text for text in ("ops_bobs_token", token_digest("ops_bobs_token")) if text in audit] == []
    assert b"ops_bobs_token" not in b"".join(part.read_bytes() for part in file.parent.iterdir())


def test_a_token_that_was_written_into_somebody_elses_row_lets_nobody_in(store, file) -> None:
    edit(file, "UPDATE principals SET token_digest = ? WHERE name = 'ada'", token_digest("mallory"))
    with pytest.raises(DataError, match="was edited"):
        store.by_token("mallory")


def test_grants_that_were_written_wider_let_nobody_in(store, file) -> None:
    edit(file, "UPDATE principals SET content = replace(content, 'promoter', 'admin') WHERE name = 'bob'")
    with pytest.raises(DataError, match="was edited"):
        store.by_token("ops_bobs_token")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE principals SET name = 'x'",
        "DELETE FROM principals",
        "INSERT OR REPLACE INTO principals SELECT * FROM principals",
    ],
)
def test_no_row_can_be_edited(store, file, statement) -> None:
    with (
        closing(sqlite3.connect(file)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="appended and never"),
    ):
        connection.execute(statement)
