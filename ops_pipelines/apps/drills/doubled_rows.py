"""D2: a permission lets a catalogue query see a second schema, every row comes twice, and the reader's limit breaks.

Cloudflare's bot management read its list of features from the database's own catalogue, without naming a schema. The
list is loaded by that very query here; the reader has room for 200 features, as theirs had.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from ops_pipelines.adapters.lake import Lake

FEATURES, ROOM = 120, 200
QUERY = """
SELECT column_name AS feature, data_type AS type FROM information_schema.columns
WHERE table_name = 'http_requests_features'
"""


def unguarded(folder: Path) -> Outcome:
    """A loader that writes whatever the query gives over the file that the reader reads."""
    import pyarrow.parquet as pq

    published = folder / "features.parquet"
    database = _database()
    pq.write_table(_load(database), published)
    before = _consume(published)
    _grant(database)
    pq.write_table(_load(database), published)
    try:
        _consume(published)
    except MemoryError as error:
        return Outcome(
            harmed=True, caught=False, reason=f"the reader died: {error}", evidence={"before": before, "room": ROOM}
        )
    return Outcome(harmed=False, caught=False, reason="the reader took the file")


def guarded(folder: Path) -> Outcome:
    """The same query behind a dataset's declaration: what is refused is kept aside and reaches no reader."""
    from ops_pipelines.adapters.lake import Lake
    from ops_pipelines.core.verdict import reasons_of

    lake, database = Lake(folder / "lake"), _database()
    _publish(lake, _load(database), run="first")
    published = lake.file("bot_features")
    before, content = _consume(published), published.read_bytes()
    _grant(database)
    _publish(lake, _load(database), run="second")
    latest = lake.latest("bot_features")
    reasons = reasons_of(latest.verdict) if latest else ()
    after, untouched = _consume(published), published.read_bytes() == content
    return Outcome(
        harmed=not untouched or after != before,
        caught=bool(reasons) and untouched,
        reason="; ".join(reasons),
        evidence={"before": before, "after": after, "byte_for_byte": untouched, "room": ROOM},
    )


DRILL = Drill(
    number="D2",
    name="doubled rows",
    incident="a feature file twice its size took a global network down (Cloudflare, 18 November 2025)",
    source="blog.cloudflare.com/18-november-2025-outage",
    names="keys of 'bot_features' occur more than once",
    unguarded=unguarded,
    guarded=guarded,
)


def _database() -> "duckdb.DuckDBPyConnection":
    """A database whose catalogue shows one schema, until `_grant`."""
    import duckdb

    connection = duckdb.connect()
    _add_schema(connection, "default_schema")
    return connection


def _grant(connection: "duckdb.DuckDBPyConnection") -> None:
    """The change of that day: the tables that lie beneath, in a schema of their own, can be seen, too."""
    _add_schema(connection, "r0")


def _add_schema(connection: "duckdb.DuckDBPyConnection", schema: str) -> None:
    columns = ", ".join(f"feature_{number:03} DOUBLE" for number in range(FEATURES))
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(f"CREATE TABLE {schema}.http_requests_features ({columns})")


def _load(connection: "duckdb.DuckDBPyConnection") -> "pa.Table":
    return connection.sql(QUERY).to_arrow_table()


def _consume(file: Path) -> int:
    """How many features a reader with a fixed room takes in; MemoryError beyond it."""
    import pyarrow.parquet as pq

    rows: int = pq.ParquetFile(file).metadata.num_rows
    if rows > ROOM:
        raise MemoryError(f"{rows} features, and there is room for {ROOM}")
    return rows


def _publish(lake: "Lake", table: "pa.Table", *, run: str) -> None:
    """The four moves of a dataset: conform, judge against the last good content, digest, publish."""
    from datetime import UTC, datetime

    from ops_pipelines.core.fingerprint import digest_table
    from ops_pipelines.core.lineage import STATIC, Artefact, Origin
    from ops_pipelines.mlops.dataset import DatasetSpec, conform, declared_columns
    from ops_pipelines.mlops.dataset_quality import Summary, judge_partition, summarize

    columns = declared_columns({"feature": "string", "type": "string"})
    spec = DatasetSpec("bot_features", columns, key=("feature",))
    conformed = conform(table, spec)
    before = lake.good(spec.name)
    last_good = Summary(**before.facts["summary"]) if before else None
    verdict = judge_partition(conformed, spec, window=None, last_good=last_good)
    artefact = Artefact(
        key=spec.name,
        partition=STATIC,
        digest=digest_table(conformed, key=spec.key),
        verdict=verdict,
        inputs={},
        origin=Origin(run, "no-git", "drill", datetime.now(UTC)),
        facts={"summary": summarize(conformed).to_json()},
    )
    lake.publish(conformed, artefact)
