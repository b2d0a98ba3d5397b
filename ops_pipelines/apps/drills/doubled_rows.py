"""D2: a permission lets a catalogue query see a second schema, every row comes twice, and the reader's limit breaks.

Cloudflare's bot management read its list of features from the database's own catalogue, without naming a schema. The
list is loaded by that very query here; the reader has room for 200 features, as theirs had.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.apps.drills.small_project import inside_project, location_of

if TYPE_CHECKING:
    import pyarrow as pa

FEATURES, ROOM = 120, 200
QUERY = """
SELECT column_name AS feature, data_type AS type FROM information_schema.columns
WHERE table_name = 'http_requests_features'
"""
LOADER = '''
"""What a team writes: it looks at the database as it is now."""

from pathlib import Path

from ops_pipelines.apps.drills import doubled_rows


def features():
    return doubled_rows.load(granted=(Path.cwd() / "granted").exists())
'''
DATASET = """
type: ops_pipelines.components.Dataset
attributes:
  name: bot_features
  loader: drill_loader:features
  key: feature
  columns: {feature: string, type: string}
"""
JOB = "__ASSET_JOB"
"""Dagster's own job that makes every asset of a location."""


def unguarded(folder: Path) -> Outcome:
    """A loader that writes whatever the query gives over the file that the reader reads."""
    import pyarrow.parquet as pq

    published = folder / "features.parquet"
    pq.write_table(load(granted=False), published)
    before = _consume(published)
    pq.write_table(load(granted=True), published)
    try:
        _consume(published)
    except MemoryError as error:
        return Outcome(
            harmed=True, caught=False, reason=f"the reader died: {error}", evidence={"before": before, "room": ROOM}
        )
    return Outcome(harmed=False, caught=False, reason="the reader took the file")


def guarded(folder: Path) -> Outcome:
    """The same query as the loader of a Dataset: what its check refuses is kept aside and reaches no reader."""
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.verdict import reasons_of

    files = {"drill_loader.py": LOADER, **location_of("drill_bots", DATASET)}
    with (
        inside_project(folder, files),
        InProcessDaemon(folder / "dagster", {"bots": "drill_bots_location"}) as daemon,
    ):
        lake = Platform.embedded().lake
        first = daemon.run_job("bots", JOB)
        published = lake.file("bot_features")
        before, content = _consume(published), published.read_bytes()
        (folder / "granted").touch()
        second = daemon.run_job("bots", JOB)
        latest = lake.latest("bot_features")
    reasons = reasons_of(latest.verdict) if latest else ()
    after, untouched = _consume(published), published.read_bytes() == content
    return Outcome(
        harmed=not untouched or after != before,
        caught=(first.status, second.status) == ("SUCCESS", "FAILURE") and bool(reasons),
        reason="; ".join(reasons),
        evidence={"before": before, "after": after, "byte_for_byte": untouched, "second_run": second.status},
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


def load(*, granted: bool) -> "pa.Table":
    """The features that the catalogue shows; since that day's change it also shows the schema that lies beneath."""
    import duckdb

    columns = ", ".join(f"feature_{number:03} DOUBLE" for number in range(FEATURES))
    with duckdb.connect() as connection:
        for schema in ("default_schema", "r0") if granted else ("default_schema",):
            connection.execute(f"CREATE SCHEMA {schema}")
            connection.execute(f"CREATE TABLE {schema}.http_requests_features ({columns})")
        return connection.sql(QUERY).to_arrow_table()


def _consume(file: Path) -> int:
    """How many features a reader with a fixed room takes in; MemoryError beyond it."""
    import pyarrow.parquet as pq

    rows: int = pq.ParquetFile(file).metadata.num_rows
    if rows > ROOM:
        raise MemoryError(f"{rows} features, and there is room for {ROOM}")
    return rows
