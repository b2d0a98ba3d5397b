"""The snapshots of corpora as things that retention keeps or drops, with what each names and is named by."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.lancedb_index import LanceIndex
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.lineage import STATIC, address
from ops_pipelines.core.reach import Edge
from ops_pipelines.core.retention import Stored
from ops_pipelines.core.walk import Thing
from ops_pipelines.llmops.corpus import Snapshot

CONTENT, OBJECT, SNAPSHOT = "content", "object", "snapshot"


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot that lies in a home. Its content and its pin are objects, and a manifest names it by its content."""

    stored: Stored
    edges: tuple[Edge, ...]


def stored_snapshots(platform: Platform) -> Iterator[StoredSnapshot]:
    """Each snapshot of each corpus once; the latest of a corpus is whole, and so stays."""
    for corpus in Corpora(platform.project.home).names():
        index = LanceIndex(platform.project.home / "corpora", corpus)
        taken = list(index.taken())
        for digest in dict.fromkeys(taken):
            file, snapshot = index.file(digest), index.at(digest).snapshot
            thing = SNAPSHOT, f"{corpus}#{digest}"
            found = file.stat()
            written = datetime.fromtimestamp(found.st_mtime, UTC)
            stored = Stored(thing, found.st_size, written, snapshot.as_of, digest == taken[-1])
            yield StoredSnapshot(stored, _edges(thing, snapshot))


def _edges(thing: Thing, snapshot: Snapshot) -> tuple[Edge, ...]:
    """A snapshot names its content, its pin and the record of how it was made; its content names it, as a manifest does."""
    content, pin = (OBJECT, snapshot.digest), (OBJECT, snapshot.pin.digest)
    record = CONTENT, f"{address(f'{snapshot.corpus}/snapshot', STATIC)}#{snapshot.digest}"
    return (content, thing), (thing, content), (thing, pin), (thing, record)
