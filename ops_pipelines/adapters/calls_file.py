"""The file of what models were asked: the calls, and the answers that they were made for, which go together."""

from ops_pipelines.adapters.sqlite_file import SQLiteFile


class CallsFile(SQLiteFile):
    """log/calls.db with its two tables."""

    kind = "call log"
    application_id = 0x6F707363
    migrations = (
        """
        CREATE TABLE calls (
            sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, system TEXT NOT NULL, release TEXT NOT NULL,
            feature TEXT NOT NULL, tenant TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
            answered_by TEXT NOT NULL, request TEXT NOT NULL, called_at INTEGER NOT NULL, outcome TEXT NOT NULL,
            input_tokens INTEGER, output_tokens INTEGER, is_estimate INTEGER, nanos INTEGER, latency_ms REAL NOT NULL,
            finish TEXT NOT NULL, text TEXT NOT NULL, facts TEXT NOT NULL
        ) STRICT;
        CREATE INDEX calls_by_instant ON calls (called_at);
        """,
        """
        CREATE TABLE answers (
            sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, system TEXT NOT NULL, release TEXT NOT NULL,
            feature TEXT NOT NULL, tenant TEXT NOT NULL, environment TEXT NOT NULL, question TEXT NOT NULL,
            asked_at INTEGER NOT NULL, outcome TEXT NOT NULL, answer TEXT NOT NULL, calls TEXT NOT NULL,
            error TEXT NOT NULL
        ) STRICT;
        CREATE INDEX answers_by_instant ON answers (asked_at);
        """,
    )
