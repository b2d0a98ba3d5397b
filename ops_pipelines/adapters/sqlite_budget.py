"""The budget store of a home: one SQLite file, in which threads and processes reserve and settle.

Looking at what is left and setting an amount aside is one transaction that takes the lock first, so that nobody comes in
between. A commit survives the death of its process; a power cut may take the last ones back.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing, has_row
from ops_pipelines.adapters.sqlite_instants import micros
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Passed, Verdict
from ops_pipelines.llmops.budget import Account, Spent, is_of, judge_reservation

_KEPT = timedelta(days=7)
"""How long after it expired a settled reservation is kept, by which settling twice is noticed."""

_ACCOUNTS = """
    SELECT account, window FROM totals WHERE window BETWEEN ? AND ?
    UNION SELECT account, window FROM reservations WHERE window BETWEEN ? AND ? ORDER BY window, account
"""


class _File(SQLiteFile):
    kind = "budget store"
    application_id = 0x6F707362
    migrations = (
        """
        CREATE TABLE reservations (
            id TEXT NOT NULL, account TEXT NOT NULL, window INTEGER NOT NULL, amount INTEGER NOT NULL,
            until INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (id, account)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX reservations_held ON reservations (account, window, until) WHERE settled = 0;
        CREATE INDEX reservations_done ON reservations (until) WHERE settled = 1;
        CREATE TABLE totals (
            account TEXT NOT NULL, window INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (account, window)
        ) STRICT, WITHOUT ROWID;
        """,
    )


class SQLiteBudgetStore:
    """The BudgetStore of one file, which is made at the first reservation; DataError where it cannot be used."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def reserve(self, id: str, accounts: Sequence[Account], amount: int, *, at: datetime, until: datetime) -> Verdict:
        """Set an amount aside on all accounts or on none; DataError where the id was used before."""
        with self._kept.use_to_write() as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            with all_or_nothing(connection):
                if has_row(connection, "reservations WHERE id = ?", (id,)):
                    raise _used_before(id)
                found = judge_reservation(
                    accounts, [_held(connection, one.key, one.window, at) for one in accounts], amount
                )
                if isinstance(found, Passed):
                    rows = [(id, one.key, one.window, amount, micros(until)) for one in accounts]
                    insert = "INSERT INTO reservations (id, account, window, amount, until) VALUES (?, ?, ?, ?, ?)"
                    connection.executemany(insert, rows)
        return found

    def settle(self, id: str, amount: int | None, *, at: datetime) -> bool:
        """Book what a reserved call cost; False where there is no such reservation, or it was settled before."""
        if not self.path.is_file():
            return False
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            done = connection.execute(
                "UPDATE reservations SET settled = 1 WHERE id = ? AND settled = 0 RETURNING account, window, amount",
                (id,),
            ).fetchall()
            connection.executemany(
                "INSERT INTO totals VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
                [(account, window, reserved if amount is None else amount) for account, window, reserved in done],
            )
            connection.execute("DELETE FROM reservations WHERE settled = 1 AND until < ?", (micros(at - _KEPT),))
        return bool(done)

    def spent(self, account: Account, at: datetime) -> Spent:
        """What an account holds now; nothing where there is no file."""
        if not self.path.is_file():
            return Spent()
        with self._kept.use() as connection:
            return _held(connection, account.key, account.window, at)

    def held(self, budget: str, windows: range, at: datetime) -> Mapping[tuple[str, int], Spent]:
        """What each account of a budget holds now, by its key and window; none where there is no file."""
        if not self.path.is_file() or not windows:
            return {}
        with self._kept.use() as connection:
            known = connection.execute(_ACCOUNTS, (windows[0], windows[-1], windows[0], windows[-1])).fetchall()
            of = [(key, window) for key, window in known if is_of(key, budget)]
            return {(key, window): _held(connection, key, window, at) for key, window in of}

    def forget(self, is_one: Callable[[str], bool]) -> int:
        """Remove whole accounts, by their keys, with what was reserved on them; how many went."""
        if not self.path.is_file():
            return 0
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            known = connection.execute("SELECT account FROM totals UNION SELECT account FROM reservations")
            going = [key for (key,) in known if is_one(key)]
            for table in ("totals", "reservations"):
                gone = f"DELETE FROM {table} WHERE account IN (SELECT value FROM json_each(?))"
                connection.execute(gone, (json.dumps(going),))
        return len(going)


def _held(connection: sqlite3.Connection, account: str, window: int, at: datetime) -> Spent:
    total = "SELECT coalesce(sum(amount), 0) FROM totals WHERE account = ? AND window = ?"
    held = "SELECT coalesce(sum(amount), 0) FROM reservations WHERE account = ? AND window = ? AND until > ? AND settled = 0"
    (settled,) = connection.execute(total, (account, window)).fetchone()
    (reserved,) = connection.execute(held, (account, window, micros(at))).fetchone()
    return Spent(settled, reserved)


def _used_before(id: str) -> DataError:
    return DataError(
        f"The reservation {id!r} was made before",
        expected="a new id for each call",
        action="Make one for this call",
        id=id,
    )
