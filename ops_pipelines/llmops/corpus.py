"""What is retrieved from: documents, the chunks that they are cut into, and the snapshot of all of them.

A snapshot is a full reconcile: whatever the sources hold now is in it, and whatever they held before and hold no longer is
out, with a tombstone. Documents are compared by their content and never by their id alone, since ids are used again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import DataError, check_settings
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes, digest_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.embedding_pin import EmbeddingPin

CHANGED, REMOVED = "changed", "removed"
_CHUNK_DIGITS = 32
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Document:
    """A text with the id that its source gives it; `metadata` is plain JSON that counts as its content."""

    id: str
    source: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        # The text is not escaped into JSON: of ten thousand documents that would be most of a reconcile's time.
        return digest_bytes(canonical_json([len(self.text), dict(self.metadata)]) + self.text.encode())


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: `document` is its id, `position` the character at which the piece begins there.

    The id is made of all three, so that another text under a used document id is another chunk.
    """

    id: str
    document: str
    text: str
    position: int


def chunk_of(document: str, position: int, text: str) -> Chunk:
    """The chunk of this text at this place, with its id."""
    return Chunk(digest_json([document, position, text])[:_CHUNK_DIGITS], document, text, position)


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as a snapshot holds it: the digest of its content, where it came from, and the ids of its chunks."""

    digest: str
    source: str
    chunks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A content that was in the corpus and is no longer: its document was removed, or holds another text."""

    document: str
    digest: str
    why: str
    at: datetime


@dataclass(frozen=True)  # without slots, so that what is made of ten thousand documents is made once
class Snapshot:
    """All that a corpus holds at one instant. The digest is over documents, chunks and pin, and so over the chunker.

    `tombstones` are of every content that was ever taken out and has not come back.
    """

    corpus: str
    documents: Mapping[str, Entry]
    pin: EmbeddingPin
    as_of: datetime
    tombstones: tuple[Tombstone, ...] = ()

    @property
    def content(self) -> bytes:
        """The bytes whose sha256 is the digest: the same for the same content, whenever and by whom it was taken."""
        entries = {name: [entry.digest, entry.source, list(entry.chunks)] for name, entry in self.documents.items()}
        return canonical_json({"documents": entries, "pin": self.pin.to_json()})

    @cached_property
    def digest(self) -> str:
        """The sha256 of the content."""
        return digest_bytes(self.content)

    @cached_property
    def chunk_ids(self) -> frozenset[str]:
        """The ids of all chunks."""
        return frozenset(name for entry in self.documents.values() for name in entry.chunks)

    def to_json(self) -> dict[str, Any]:
        """The snapshot as plain JSON, read back by `from_json`."""
        return {
            "corpus": self.corpus,
            "documents": {
                name: [entry.digest, entry.source, list(entry.chunks)] for name, entry in self.documents.items()
            },
            "pin": self.pin.to_json(),
            "as_of": utc(self.as_of).isoformat(),
            "tombstones": [{**asdict(stone), "at": utc(stone.at).isoformat()} for stone in self.tombstones],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Snapshot":
        """The snapshot that `to_json` wrote."""
        return cls(
            corpus=record["corpus"],
            documents={name: Entry(made[0], made[1], tuple(made[2])) for name, made in record["documents"].items()},
            pin=EmbeddingPin.from_json(record["pin"]),
            as_of=datetime.fromisoformat(record["as_of"]),
            tombstones=tuple(
                Tombstone(**{**stone, "at": datetime.fromisoformat(stone["at"])}) for stone in record["tombstones"]
            ),
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """What lies between two states of a corpus, as sorted document ids."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.removed)

    def counts(self) -> dict[str, int]:
        """How many of each, for people."""
        return {name: len(getattr(self, name)) for name in ("added", "changed", "removed", "unchanged")}


def contents_of(documents: Sequence[Document]) -> dict[str, str]:
    """The digest of each document by its id; DataError where two documents have one id."""
    found: dict[str, Document] = {}
    for document in documents:
        other = found.setdefault(document.id, document)
        if other is not document:
            raise DataError(
                f"Two documents have the id {document.id!r}, from {other.source} and {document.source}",
                expected="an id that names one document",
                action="Give the sources prefixes of their own, or take one of the documents out",
                document=document.id,
            )
    return {name: document.digest for name, document in found.items()}


def compare(before: Mapping[str, str], now: Mapping[str, str]) -> Changes:
    """What changed between two states, each a content digest by document id.

    >>> compare({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}).counts()
    {'added': 1, 'changed': 1, 'removed': 1, 'unchanged': 1}
    """
    both = sorted(before.keys() & now.keys())
    return Changes(
        added=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(name for name in both if before[name] != now[name]),
        removed=tuple(sorted(before.keys() - now.keys())),
        unchanged=tuple(name for name in both if before[name] == now[name]),
    )


def digests_of(snapshot: Snapshot | None) -> dict[str, str]:
    """The content digest of each document of a snapshot; empty for none."""
    return {name: entry.digest for name, entry in snapshot.documents.items()} if snapshot else {}


def bury(before: Snapshot | None, now: Mapping[str, str], as_of: datetime) -> tuple[Tombstone, ...]:
    """The tombstones after a reconcile: the earlier ones, and one for each content that went; none for what came back."""
    if before is None:
        return ()
    gone = [
        Tombstone(name, entry.digest, CHANGED if name in now else REMOVED, as_of)
        for name, entry in before.documents.items()
        if now.get(name) != entry.digest
    ]
    return tuple(stone for stone in (*before.tombstones, *gone) if now.get(stone.document) != stone.digest)


@dataclass(frozen=True, slots=True)
class ReconcileRule:
    """How much of a corpus may go in one snapshot: a folder that is not mounted looks as if everything was deleted."""

    max_removed: float = 0.5

    def __post_init__(self) -> None:
        check_settings(self, "reconcile", max_removed=(0 < self.max_removed <= 1, "a share above 0 and up to 1"))


def judge_changes(changes: Changes, rule: ReconcileRule) -> Verdict:
    """Blocked where more went than the rule allows; NotEvaluated where the sources hold nothing at all."""
    held = len(changes.changed) + len(changes.removed) + len(changes.unchanged)
    if not held - len(changes.removed) + len(changes.added):
        return NotEvaluated("the sources hold no document, and an empty corpus answers nothing", changes.counts())
    share = len(changes.removed) / held if held else 0.0
    if share > rule.max_removed:
        shown = ", ".join(changes.removed[:_SHOWN])
        return Blocked(
            (
                f"{len(changes.removed)} of {held} documents are gone ({share:.0%}, and {rule.max_removed:.0%} are "
                f"allowed), such as {shown}",
            ),
            changes.counts(),
        )
    return Passed(changes.counts())
