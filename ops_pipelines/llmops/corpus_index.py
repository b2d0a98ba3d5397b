"""Where a corpus is kept, and how its next snapshot is taken.

The embedding is done before the index is touched, and the index takes a snapshot whole or not at all. Whoever asks an older
snapshot is answered as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.llmops.chunking import Chunker
from ops_pipelines.llmops.corpus import (
    Changes,
    Chunk,
    Document,
    Entry,
    Snapshot,
    bury,
    compare,
    contents_of,
    digests_of,
)
from ops_pipelines.llmops.embedding_pin import Embedder, EmbeddingPin, EmbeddingPinMismatch, check_pin, check_vectors

if TYPE_CHECKING:
    import numpy as np

_BATCH = 256


class SnapshotConflict(DataError):
    """Somebody else took a snapshot of this corpus first."""


@dataclass(frozen=True, slots=True)
class Update:
    """What turns the index of one snapshot into that of the next: chunk ids that go, and chunks that come, a vector each.

    Where `starts_anew` nothing is taken over from the snapshot before: another embedder or chunker.
    """

    removed: frozenset[str]
    added: tuple[Chunk, ...]
    vectors: "np.ndarray"
    starts_anew: bool


class IndexedSnapshot(Protocol):
    """One snapshot, open for reading; it stays as it is whatever is taken later."""

    @property
    def snapshot(self) -> Snapshot: ...

    def chunks(self) -> Sequence[Chunk]:
        """All chunks, by document and position."""
        ...

    def nearest(self, vector: "np.ndarray", k: int) -> Sequence[tuple[Chunk, float]]:
        """The `k` chunks of the highest inner product with a vector, and that product, the highest first.

        Equal ones are in the order of their ids. Exact: nothing is missed. DataError for a vector of another size.
        """
        ...


class CorpusIndex(Protocol):
    """The snapshots of one corpus. Of two that are taken at once from one base, one is kept and the other is told."""

    def taken(self) -> Sequence[str]:
        """The digests of the snapshots in the order in which they were taken; one comes again where its content came back."""
        ...

    def at(self, digest: str) -> IndexedSnapshot:
        """A snapshot by its whole digest; DataError where it was never taken."""
        ...

    def keep(self, snapshot: Snapshot, update: Update, *, base: str | None) -> None:
        """Keep the next snapshot; SnapshotConflict, and nothing changes, where `base` is not the latest any longer.

        One of the same content as the latest takes its place, with the later instant.
        """
        ...

    def drop(self, digest: str, *, before: datetime) -> bool:
        """Forget a snapshot; False, and nothing changes, for the latest, one taken since `before`, or one not there."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """The next snapshot before anything is embedded: what changed, all chunks by document, and what is to be embedded."""

    before: Snapshot | None
    snapshot: Snapshot
    changes: Changes
    update_chunks: tuple[Chunk, ...]
    starts_anew: bool


def latest_of(index: CorpusIndex) -> Snapshot | None:
    """The snapshot that was taken last; None where none was."""
    taken = index.taken()
    return index.at(taken[-1]).snapshot if taken else None


def open_latest(corpus: str, index: CorpusIndex, digest: str | None = None) -> IndexedSnapshot:
    """The snapshot taken last, or the one whose digest begins with these digits; DataError where there is none."""
    taken = list(dict.fromkeys(index.taken()))
    found = taken[-1:] if digest is None else [one for one in taken if one.startswith(digest)]
    if len(found) == 1:
        return index.at(found[0])
    known = ", ".join(short(one) for one in taken[-5:]) or "none yet"
    raise DataError(
        f"Corpus {corpus!r} has {'no snapshot' if not found else 'several snapshots'} {digest or ''}".rstrip(),
        expected=f"one of its snapshots: {known}",
        action=f"Materialize {corpus}/snapshot, or see `ops corpus list`",
        corpus=corpus,
    )


def plan_snapshot(
    corpus: str,
    before: Snapshot | None,
    documents: Sequence[Document],
    *,
    chunker: Chunker,
    pin: EmbeddingPin,
    as_of: datetime,
    re_embed: bool = False,
) -> Planned:
    """The next snapshot of some documents. Only changed documents are cut and embedded again.

    EmbeddingPinMismatch for another embedder or chunker than the index was built with, unless `re_embed` says that
    everything is to be embedded anew; DataError for two documents of one id.
    """
    now = contents_of(documents)
    pin = pin.of_chunks(chunker.id)
    anew = _starts_anew(corpus, before, pin, re_embed=re_embed)
    changes = compare(digests_of(before), now)
    kept = {} if anew or before is None else {name: before.documents[name] for name in changes.unchanged}
    cut = {document.id: chunker.chunks(document) for document in documents if document.id not in kept}
    by_id = {document.id: document for document in documents}
    entries = {
        name: _moved(kept[name], document.source)
        if name in kept
        else Entry(now[name], document.source, tuple(chunk.id for chunk in cut[name]))
        for name, document in sorted(by_id.items())
    }
    snapshot = Snapshot(corpus, entries, pin, as_of, bury(before, now, as_of))
    held = before.chunk_ids if before and not anew else frozenset()
    new = tuple(chunk for name in sorted(cut) for chunk in cut[name] if chunk.id not in held)
    return Planned(before, snapshot, changes, new, anew)


def take_snapshot(index: CorpusIndex, planned: Planned, embedder: Embedder) -> Snapshot:
    """Embeds what is new and keeps the snapshot; the latest one stays where anything fails before that.

    EmbeddingPinMismatch for vectors that are not what the pin says; SnapshotConflict where another was taken meanwhile.
    """
    import numpy as np

    pin = planned.snapshot.pin
    check_pin(planned.snapshot.corpus, pin, embedder.pin(), asks="snapshot")
    texts = [chunk.text for chunk in planned.update_chunks]
    parts = [embed_checked(pin, embedder, texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
    vectors = np.concatenate(parts) if parts else np.zeros((0, pin.dims), dtype=np.float32)
    held = planned.before.chunk_ids if planned.before and not planned.starts_anew else frozenset[str]()
    update = Update(held - planned.snapshot.chunk_ids, planned.update_chunks, vectors, planned.starts_anew)
    index.keep(planned.snapshot, update, base=planned.before.digest if planned.before else None)
    return planned.snapshot


def embed_checked(pin: EmbeddingPin, embedder: Embedder, texts: Sequence[str]) -> "np.ndarray":
    """The vectors of some texts; EmbeddingPinMismatch where they are not what the pin says."""
    vectors = embedder.embed(texts)
    check_vectors(pin, vectors, len(texts))
    return vectors


def check_sound(indexed: IndexedSnapshot) -> None:
    """Raises DataError where an index does not hold exactly the chunks of its snapshot, such as one of a tombstone."""
    held = {chunk.id: chunk.document for chunk in indexed.chunks()}
    wanted = indexed.snapshot.chunk_ids
    if held.keys() == wanted:
        return
    stray = sorted({held[name] for name in held.keys() - wanted})
    raise DataError(
        f"The index of corpus {indexed.snapshot.corpus!r} at {short(indexed.snapshot.digest)} holds "
        f"{len(held.keys() - wanted)} chunks that are not in it, of {stray[:3]}, and lacks {len(wanted - held.keys())}",
        expected="exactly the chunks of the snapshot",
        action="Delete its folder under OPS_HOME/corpora and take the snapshot again",
        documents=stray,
    )


def check_base(corpus: str, taken: Sequence[str], base: str | None) -> None:
    """Raises SnapshotConflict where the latest of the snapshots is not the base of the next one."""
    latest = taken[-1] if taken else None
    if latest != base:
        raise SnapshotConflict(
            f"Another snapshot of corpus {corpus!r} was taken meanwhile: {short(latest or 'none')}",
            expected=f"that {short(base) if base else 'none'} is the latest",
            action="Nothing was changed. Take the snapshot again, on top of the other one",
            corpus=corpus,
        )


def _moved(entry: Entry, source: str) -> Entry:
    return entry if entry.source == source else Entry(entry.digest, source, entry.chunks)


def _starts_anew(corpus: str, before: Snapshot | None, pin: EmbeddingPin, *, re_embed: bool) -> bool:
    if before is None or re_embed:
        return True
    check_pin(corpus, before.pin, pin, asks="snapshot")
    if before.pin.chunker != pin.chunker:
        raise EmbeddingPinMismatch(
            f"Corpus {corpus!r} was cut by {before.pin.chunker}, and this snapshot would cut it by {pin.chunker}",
            expected=f"the chunker {before.pin.chunker}",
            action=f"Set it back, or embed everything again: `re_embed: {short(before.pin.digest)}` in its defs.yaml",
            corpus=corpus,
        )
    return False
