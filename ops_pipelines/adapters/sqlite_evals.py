"""The evaluations of a home: one SQLite file with the cache of answers and scores, the runs, and what people said of them.

A commit survives the death of its process; a power cut may take the last ones back, and then they are asked again.
"""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.evals.label import Label
from ops_pipelines.llmops.evals.log import Evaluation
from ops_pipelines.llmops.evals.result import EvalRun

_AT_ONCE = 500
_LABEL = ("evaluation", "case_id", "repeat", "answer", "value", "by", "at", "aspect", "note")


class _File(SQLiteFile):
    kind = "log of evaluations"
    application_id = 0x6F707365
    migrations = (
        """
        CREATE TABLE cache (key TEXT PRIMARY KEY, record TEXT NOT NULL, kept_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE evaluations (
            sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, system TEXT NOT NULL, golden TEXT NOT NULL,
            at TEXT NOT NULL, run BLOB NOT NULL, facts TEXT NOT NULL
        ) STRICT;
        CREATE TABLE labels (
            sequence INTEGER PRIMARY KEY, evaluation TEXT NOT NULL, case_id TEXT NOT NULL, repeat INTEGER NOT NULL,
            answer TEXT NOT NULL, value REAL NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL, aspect TEXT NOT NULL,
            note TEXT NOT NULL
        ) STRICT;
        CREATE INDEX labels_by_case ON labels (case_id);
        """,
    )


class SQLiteEvals:
    """The EvalCache and the EvaluationLog of one file, which is made when something is kept first.

    DataError where the file cannot be used.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def get_many(self, keys: Collection[str]) -> Mapping[str, str]:
        """The records of those keys that are there."""
        wanted = list(keys)
        parts = [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]
        found: dict[str, str] = {}
        for part in parts:
            marks = ", ".join("?" * len(part))
            found.update(self._rows(f"SELECT key, record FROM cache WHERE key IN ({marks})", part))
        return found

    def put_many(self, records: Mapping[str, str]) -> None:
        """Keep records, all or none; a key that is there already is left as it is."""
        self._insert("OR IGNORE INTO cache (key, record, kept_at) VALUES (?, ?, unixepoch())", list(records.items()))

    def keep(self, evaluation: Evaluation) -> None:
        """Append an evaluation; one that is there already is left as it is."""
        run = zlib.compress(json.dumps(evaluation.run.to_json()).encode(), 6)
        when, facts = utc(evaluation.at).isoformat(), json.dumps(evaluation.facts)
        row = (evaluation.id, evaluation.system, evaluation.golden, when, run, facts)
        self._insert("OR IGNORE INTO evaluations (id, system, golden, at, run, facts) VALUES (?, ?, ?, ?, ?, ?)", [row])

    def evaluations(self, *, system: str | None = None, most: int | None = None) -> Iterator[Evaluation]:
        """The evaluations, the latest first; none where there is no file."""
        named, values = ("", []) if system is None else ("WHERE system = ?", [system])
        query = (
            f"SELECT system, golden, at, run, facts FROM evaluations {named} ORDER BY at DESC, sequence DESC LIMIT ?"
        )
        yield from map(_evaluation, self._rows(query, [*values, -1 if most is None else most]))

    def find(self, id: str) -> Evaluation | None:
        """The evaluation whose id begins so; None where there is none, DataError where several do."""
        query = "SELECT system, golden, at, run, facts FROM evaluations WHERE substr(id, 1, ?) = ? LIMIT 2"
        found = self._rows(query, [len(id), id]) if id else []
        if len(found) > 1:
            raise DataError(
                f"Several evaluations begin with {id!r}",
                expected="an id, or enough of its digits",
                action="Write more of it; `ops eval list` shows them",
            )
        return _evaluation(found[0]) if found else None

    def keep_labels(self, labels: Sequence[Label]) -> None:
        """Append labels, all or none."""
        rows = [
            (one.evaluation, one.case, one.repeat, one.answer, one.value, one.by, utc(one.at).isoformat(), *_words(one))
            for one in labels
        ]
        self._insert(f"INTO labels ({', '.join(_LABEL)}) VALUES ({', '.join('?' * len(_LABEL))})", rows)

    def labels(self, cases: Sequence[str] | None = None) -> tuple[Label, ...]:
        """The labels of some cases, or of all, in the order in which they were kept."""
        rows = self._rows(f"SELECT {', '.join(_LABEL)} FROM labels ORDER BY sequence", [])
        labels = [Label(*row[:6], datetime.fromisoformat(row[6]), *row[7:]) for row in rows]
        return tuple(label for label in labels if cases is None or label.case in cases)

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        if not self.path.is_file():
            return []
        with self._kept.use() as connection:
            return list(connection.execute(query, values))

    def _insert(self, what: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._kept.use_to_write() as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            with all_or_nothing(connection):
                connection.executemany(f"INSERT {what}", rows)


def _evaluation(row: tuple[Any, ...]) -> Evaluation:
    system, golden, at, run, facts = row
    read = EvalRun.from_json(json.loads(zlib.decompress(run)))
    return Evaluation(system, golden, datetime.fromisoformat(at), read, json.loads(facts))


def _words(label: Label) -> tuple[str, str]:
    return label.aspect, label.note
