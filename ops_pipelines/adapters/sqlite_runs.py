"""The run log of a home: one SQLite file, to which several processes append and which answers while they do.

A commit is on the disk before `append` returns, so that neither the death of a process nor a power cut takes back what
was acknowledged. Beside the steps a line per run is kept, by which runs are listed without reading their steps.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing
from ops_pipelines.adapters.sqlite_instants import instant_of, micros
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.agentops.payload import Payload
from ops_pipelines.agentops.run_following import BEGINNING, Kept
from ops_pipelines.agentops.run_log import (
    AGENT,
    DECISION,
    EVERY_RUN,
    Entry,
    RunFilter,
    RunSummary,
    Step,
    Tally,
    fault_of,
    summary_of,
)
from ops_pipelines.core.clock import Window

_COLUMNS = (
    "id, run, parent, agent, kind, name, occurrence, inputs, outputs, started, ended, decision, error, memory_version, "
    "release, tokens, nanos, links"
)
_INSERT = f"INSERT OR IGNORE INTO steps ({_COLUMNS}) VALUES ({', '.join('?' * (_COLUMNS.count(',') + 1))})"
_MOST = 2**62
"""The largest sum that is kept: two of them still are an integer of SQLite, so that no step is refused for its size."""
_ADD = f"""
INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    started = min(started, excluded.started), ended = max(ended, excluded.ended), steps = steps + excluded.steps,
    errors = errors + excluded.errors, tokens = min(tokens + excluded.tokens, {_MOST}),
    nanos = min(nanos + excluded.nanos, {_MOST}), unpriced = unpriced + excluded.unpriced
"""
_LACKS = """
NOT EXISTS (
    SELECT 1 FROM steps AS own WHERE own.run = runs.run AND own.kind = ? AND own.name IN ({names}) AND own.release <> ''
    AND own.release = (SELECT release FROM steps WHERE run = runs.run AND kind = ? ORDER BY sequence LIMIT 1)
)"""
_FORGET_PAYLOADS = "DELETE FROM payloads WHERE digest NOT IN (SELECT inputs FROM steps UNION SELECT outputs FROM steps)"
_LAST_LETTER = "\U0010ffff"
_ANOTHER = "another step was kept under this id, and nothing that is kept is changed"


class _File(SQLiteFile):
    kind = "run log"
    application_id = 0x6F707372
    migrations = (
        """
        CREATE TABLE steps (
            sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, run TEXT NOT NULL, parent TEXT NOT NULL, agent TEXT NOT NULL,
            kind TEXT NOT NULL, name TEXT NOT NULL, occurrence INTEGER NOT NULL, inputs TEXT NOT NULL,
            outputs TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, decision TEXT NOT NULL,
            error TEXT NOT NULL, memory_version TEXT NOT NULL, release TEXT NOT NULL, tokens INTEGER, nanos INTEGER,
            links TEXT NOT NULL, UNIQUE (run, id)
        ) STRICT;
        CREATE TABLE payloads (digest TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, content BLOB NOT NULL) STRICT;
        CREATE TABLE runs (
            run TEXT NOT NULL PRIMARY KEY, agent TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
            steps INTEGER NOT NULL, errors INTEGER NOT NULL, tokens INTEGER NOT NULL, nanos INTEGER NOT NULL,
            unpriced INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX runs_by_instant ON runs (started);
        CREATE INDEX steps_by_name ON steps (name, kind, agent, run);
        """,
    )


class SQLiteRunLog:
    """The RunLog of one file, which is made when the first step is kept; its folder's folder has to be there.

    DataError where the file cannot be used. Each `append` is one commit. Without `durable` what was kept survives the
    death of its process, and a power cut may take the last of it back: for steps that changed nothing.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0, durable: bool = True) -> None:
        self.path, self._durable = path, durable
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def append(self, entries: Sequence[Entry]) -> Tally:
        """Keep entries in one commit; see RunLog."""
        if not entries:
            return Tally(0)
        rejected = [(entry.step.id, fault) for entry in entries if (fault := fault_of(entry))]
        good = [entry for entry in entries if not fault_of(entry)] if rejected else entries
        with self._kept.use_to_write(durable=self._durable) as connection, all_or_nothing(connection):
            added = []
            for entry in good:
                if _added(connection, entry):
                    added.append(entry.step)
                elif _kept_step(connection, entry.step) != _as_kept(entry.step):
                    rejected.append((entry.step.id, _ANOTHER))
            _add_up(connection, added)
        return Tally(len(entries) - len(rejected), tuple(rejected))

    def steps(self, run: str) -> tuple[Step, ...]:
        """The steps of a run, in the order in which they were kept; none where there is no file."""
        if not self.path.is_file():
            return ()
        with self._kept.use() as connection:
            query = f"SELECT {_COLUMNS} FROM steps WHERE run = ? ORDER BY sequence"
            return tuple(map(_step, connection.execute(query, (run,))))

    def runs(self, window: Window, of: RunFilter = EVERY_RUN, *, limit: int = 100) -> tuple[RunSummary, ...]:
        """The runs that began in a window, the newest first; none where there is no file."""
        if not self.path.is_file():
            return ()
        query, values = _query(window, of)
        with self._kept.use() as connection:
            return tuple(map(_summary, connection.execute(query, (*values, limit))))

    def payload(self, digest: str) -> Payload | None:
        """What is kept under a digest; None where nothing is, or no file."""
        if not self.path.is_file():
            return None
        with self._kept.use() as connection:
            query = "SELECT digest, size, content FROM payloads WHERE digest = ?"
            row = connection.execute(query, (digest,)).fetchone()
        return Payload(*row) if row else None

    def steps_after(self, cursor: int, *, limit: int = 1000) -> tuple[Kept, ...]:
        """The steps that were kept after a cursor; none where there is no file."""
        if not self.path.is_file():
            return ()
        with self._kept.use() as connection:
            query = f"SELECT {_COLUMNS}, sequence FROM steps WHERE sequence > ? ORDER BY sequence LIMIT ?"
            return tuple(Kept(row[-1], _step(row[:-1])) for row in connection.execute(query, (cursor, limit)))

    def last_sequence(self) -> int:
        """The number of the last step; BEGINNING where there is no file."""
        if not self.path.is_file():
            return BEGINNING
        with self._kept.use() as connection:
            return int(connection.execute("SELECT ifnull(max(sequence), ?) FROM steps", (BEGINNING,)).fetchone()[0])

    def forget(self, runs: Collection[str]) -> int:
        """Remove whole runs but the last step's; none where there is no file. Writers wait meanwhile."""
        if not self.path.is_file():
            return 0
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            last = connection.execute("SELECT run FROM steps ORDER BY sequence DESC LIMIT 1").fetchone()
            going = [(run,) for run in set(runs).difference(last or ())]
            gone = connection.executemany("DELETE FROM steps WHERE run = ?", going).rowcount
            connection.executemany("DELETE FROM runs WHERE run = ?", going)
            connection.execute(_FORGET_PAYLOADS)
        return max(gone, 0)


def _query(window: Window, of: RunFilter) -> tuple[str, list[Any]]:
    """The runs that are asked for, the newest first; a filter is a condition only where it is set, so that it is indexed."""
    asked = {"name": of.name, "kind": of.kind, "agent": of.agent}
    named = {column: value for column, value in asked.items() if value}
    conditions = ["started >= ?", "started < ?"]
    values: list[Any] = [micros(window.start), micros(window.end)]
    if of.failed:
        conditions.append("errors > 0")
    if of.digits:  # a span of ids, which the index finds
        conditions.append("run >= ? AND run < ?")
        values += [of.digits, of.digits + _LAST_LETTER]
    if of.lacks:
        conditions.append(_LACKS.format(names=", ".join("?" * len(of.lacks))))
        values += [DECISION, *of.lacks, AGENT]
    if named:
        having = " AND ".join(f"{column} = ?" for column in named)
        conditions.append(f"run IN (SELECT run FROM steps WHERE {having})")
    query = f"SELECT * FROM runs WHERE {' AND '.join(conditions)} ORDER BY started DESC, run LIMIT ?"
    return query, [*values, *named.values()]


def _added(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Whether a step was not there and now is, with its payloads."""
    if connection.execute(_INSERT, _row(entry.step)).rowcount != 1:
        return False
    rows = [(payload.digest, payload.size, payload.content) for payload in entry.payloads]
    connection.executemany("INSERT OR IGNORE INTO payloads VALUES (?, ?, ?)", rows)
    return True


def _add_up(connection: sqlite3.Connection, added: Sequence[Step]) -> None:
    by_run: dict[str, list[Step]] = {}
    for step in added:
        by_run.setdefault(step.run, []).append(step)
    for steps in by_run.values():
        line = summary_of(steps)
        counts = (line.steps, line.errors, min(line.tokens, _MOST), min(line.nanos, _MOST), line.unpriced)
        connection.execute(_ADD, (line.run, line.agent, micros(line.started), micros(line.ended), *counts))


def _kept_step(connection: sqlite3.Connection, step: Step) -> Step | None:
    query = f"SELECT {_COLUMNS} FROM steps WHERE run = ? AND id = ?"
    row = connection.execute(query, (step.run, step.id)).fetchone()
    return _step(row) if row else None


def _as_kept(step: Step) -> Step:
    return _step(_row(step))


def _row(step: Step) -> tuple[Any, ...]:
    place = (step.id, step.run, step.parent, step.agent, step.kind, step.name, step.occurrence)
    times = (micros(step.started), micros(step.ended))
    said = (step.decision, step.error, step.memory_version, step.release)
    return (*place, step.inputs, step.outputs, *times, *said, step.tokens, step.nanos, json.dumps(step.links))


def _step(row: tuple[Any, ...]) -> Step:
    started, ended = instant_of(row[9]), instant_of(row[10])
    return Step(*row[:9], started, ended, *row[11:17], tuple(json.loads(row[17])))


def _summary(row: tuple[Any, ...]) -> RunSummary:
    run, agent, started, ended, *counts = row
    return RunSummary(run, agent, instant_of(started), instant_of(ended), *counts)
