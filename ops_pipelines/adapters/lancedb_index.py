"""A corpus in LanceDB: one folder a corpus, one table for each embedding pin, one tag for each snapshot.

    corpora/<corpus>/chunks-<pin>.lance        vectors and texts; another embedder or chunker gets another table
    corpora/<corpus>/snapshots/<number>.snapshot   what each snapshot holds, in the order in which they were taken
    corpora/<corpus>/snapshots/<number>.head       its digest

A snapshot exists when its head does: that is written last, aside, and renamed. Rows that a writer left behind who died
before that are under no tag that anybody reads, and the next writer starts from the tag of the snapshot before.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, short
from ops_pipelines.llmops.corpus import Chunk, Snapshot
from ops_pipelines.llmops.corpus_index import Update, check_base

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_COLUMNS = ("id", "document", "text", "position")
_TIES = 50
"""So many more are asked for than are wanted: of equal ones LanceDB returns any, and we the first by their ids."""
_BATCH = 500


class LanceIndex:
    """The `CorpusIndex` of a corpus in a folder."""

    def __init__(self, root: Path, corpus: str) -> None:
        self._folder, self._corpus = root / corpus, corpus

    def taken(self) -> Sequence[str]:
        """The digests in order, from the names and heads of the snapshots' files."""
        return [digest for _, digest in self._heads()]

    def at(self, digest: str) -> "LanceSnapshot":
        """A snapshot by its digest, as it was taken last."""
        if content := _read(self.file(digest)):
            return LanceSnapshot(self._folder, Snapshot.from_json(json.loads(content)))
        raise self._not_taken(digest)

    def file(self, digest: str) -> Path:
        """Where it is written what a snapshot holds; DataError where it was never taken, or was dropped."""
        for file, taken in reversed(self._heads()):
            if taken == digest:
                return file.with_suffix(".snapshot")
        raise self._not_taken(digest)

    def _not_taken(self, digest: str) -> DataError:
        return DataError(
            f"Corpus {self._corpus!r} has no snapshot {short(digest)}",
            expected="one that was taken",
            action="See `ops corpus list`",
            corpus=self._corpus,
            digest=digest,
        )

    def keep(self, snapshot: Snapshot, update: Update, *, base: str | None) -> None:
        """Write the rows, tag them, and then say that there is a snapshot, while nobody else writes."""
        with self._alone():
            heads = self._heads()
            taken = [digest for _, digest in heads]
            check_base(self._corpus, taken, base)
            if snapshot.digest not in taken:
                self._write(snapshot, update, base)
            last = int(heads[-1][0].stem) if heads else 0  # and not their count: old ones may have been dropped
            number = last if snapshot.digest == base else last + 1
            file = self._folder / "snapshots" / f"{number:06}.head"
            with written_aside(file.with_suffix(".snapshot")) as aside:
                aside.write_bytes(canonical_json(snapshot.to_json()))
            with written_aside(file) as aside:
                aside.write_bytes(canonical_json({"digest": snapshot.digest}))

    def drop(self, digest: str, *, before: datetime) -> bool:
        """Forget a snapshot; its rows go where no older one is left that is kept, and with the last of its table."""
        with self._alone():
            heads = self._heads()
            mine = [file for file, taken in heads if taken == digest]
            late = any(file.stat().st_mtime >= before.timestamp() for file in mine)
            if not mine or late or heads[-1][1] == digest:
                return False
            for file in mine:  # the head first: without it nobody sees the rest
                file.unlink()
                file.with_suffix(".snapshot").unlink(missing_ok=True)
            self._reclaim()
        return True

    def _reclaim(self) -> None:
        """Gives back the rows of snapshots that are gone, those that a dead writer left behind included."""
        kept, database = set(self.taken()), _connected(self._folder)
        for name in database.list_tables().tables:
            table = database.open_table(name)
            if kept.isdisjoint(table.tags.list()):
                database.drop_table(name)
            else:
                _prune(table, kept)

    def _write(self, snapshot: Snapshot, update: Update, base: str | None) -> None:
        database = _connected(self._folder)
        name, rows = table_of(snapshot), _rows(update, snapshot.pin.dims)
        if name not in database.list_tables().tables:
            table = database.create_table(name, rows)
        else:
            table = database.open_table(name)
            _take_out(table, update, base)
            if rows.num_rows:
                table.add(rows)
        _tag(table, snapshot.digest)

    def _heads(self) -> list[tuple[Path, str]]:
        """The file and the digest of each head, in order; one that goes while it is looked for is not there."""
        files = sorted((self._folder / "snapshots").glob("*.head"))
        return [(file, str(json.loads(content)["digest"])) for file in files if (content := _read(file))]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the corpus for one writer; a writer that dies lets go of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        opened = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)


class LanceSnapshot:
    """One tag of a table, open for reading."""

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        self._folder, self._snapshot = folder, snapshot

    @property
    def snapshot(self) -> Snapshot:
        """What it holds."""
        return self._snapshot

    def chunks(self) -> Sequence[Chunk]:
        """All chunks, read from the table."""
        rows = self._table.search().select(list(_COLUMNS)).to_arrow()
        return sorted(_chunks(rows), key=lambda chunk: (chunk.document, chunk.position))

    def nearest(self, vector: "np.ndarray", k: int) -> Sequence[tuple[Chunk, float]]:
        """An exact search by inner product: no index of LanceDB's that approximates is ever made."""
        dims = self._snapshot.pin.dims
        if vector.shape != (dims,):
            raise DataError(
                f"Corpus {self._snapshot.corpus!r} was asked with a vector of the shape {vector.shape}",
                expected=f"{dims} dimensions, as {self._snapshot.pin} makes them",
                action="Ask with the embedder that the corpus is pinned to",
            )
        if k < 1:
            return ()
        asked = self._table.search(vector).distance_type("dot").select([*_COLUMNS, "_distance"]).limit(k + _TIES)
        rows = asked.to_arrow()
        scores = [1 - distance for distance in rows.column("_distance").to_pylist()]
        found = sorted(zip(_chunks(rows), scores, strict=True), key=lambda one: (-one[1], one[0].id))
        return found[:k]

    @cached_property
    def _table(self) -> Any:
        table = _connected(self._folder).open_table(table_of(self._snapshot))
        table.checkout(self._snapshot.digest)
        return table


def table_of(snapshot: Snapshot) -> str:
    """The name of the table that a snapshot lies in."""
    return f"chunks-{short(snapshot.pin.digest)}"


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _prune(table: Any, kept: set[str]) -> None:
    """Takes the tags of no snapshot away, and every version before the oldest that has a tag.

    LanceDB refuses to clean up past a tag, so a version between two that are kept stays until the older one goes.
    """
    for tag in set(table.tags.list()) - kept:
        table.tags.delete(tag)
    made = {version["version"]: version["timestamp"] for version in table.list_versions()}
    tagged = [made[tag["version"]] for tag in table.tags.list().values()]
    oldest = min(tagged)
    if min(made.values()) < oldest:
        age = datetime.now(UTC) - oldest.astimezone(UTC)  # it tells the local time
        table.optimize(cleanup_older_than=age + timedelta(milliseconds=1), delete_unverified=True)


def _connected(folder: Path) -> Any:
    import lancedb

    return lancedb.connect(folder)


def _take_out(table: Any, update: Update, base: str | None) -> None:
    """Leaves what the next snapshot takes over: nothing where it starts anew.

    The table may hold more than the snapshot before: of a writer who died, or of a later snapshot that was undone.
    """
    if update.starts_anew or base is None:
        table.delete("true")
        return
    version = table.tags.get_version(base)
    if table.version != version:
        table.checkout(version)
        table.restore()
    for gone in _in_batches(sorted(update.removed)):
        table.delete(f"id IN ({', '.join(repr(chunk) for chunk in gone)})")


def _tag(table: Any, digest: str) -> None:
    """Names the table's version; a tag that a writer left behind who died before it said so is moved."""
    known = digest in table.tags.list()
    (table.tags.update if known else table.tags.create)(digest, table.version)


def _rows(update: Update, dims: int) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(update.vectors, dtype=np.float32).ravel())
    columns = {name: [getattr(chunk, name) for chunk in update.added] for name in _COLUMNS}
    types = {"id": pa.string(), "document": pa.string(), "text": pa.string(), "position": pa.int64()}
    arrays = {name: pa.array(columns[name], types[name]) for name in _COLUMNS}
    return pa.table({**arrays, "vector": pa.FixedSizeListArray.from_arrays(flat, dims)})


def _chunks(rows: "pa.Table") -> list[Chunk]:
    return [Chunk(**row) for row in rows.select(list(_COLUMNS)).to_pylist()]


def _in_batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH))
