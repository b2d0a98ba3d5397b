"""A corpus of a few documents for the drills, and the two ways to keep it: a plain vector table, and ours."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops_pipelines.llmops.corpus import Document, Snapshot
    from ops_pipelines.llmops.corpus_index import CorpusIndex
    from ops_pipelines.llmops.embedding_pin import Embedder

CORPUS, AS_OF = "handbook", datetime(2026, 1, 5, tzinfo=UTC)
TEXTS: Mapping[str, str] = {
    "refunds": "Refunds are paid within fourteen days to the card that was charged.",
    "parking": "Parking is free behind the north gate after six in the evening.",
    "password": "A forgotten password is reset by a letter to the address on file.",
    "holidays": "Holidays are granted in the order in which they were asked for.",
}
QUESTIONS: Mapping[str, str] = {
    "refunds": "when are refunds paid",
    "parking": "where is parking free",
    "password": "forgotten password reset",
    "holidays": "how are holidays granted",
}
"""A question about each document, by its id."""


def documents_of(texts: Mapping[str, str]) -> "tuple[Document, ...]":
    """Documents with these texts, by id."""
    from ops_pipelines.llmops.corpus import Document

    return tuple(Document(name, CORPUS, text) for name, text in texts.items())


def plain_table(folder: Path, texts: Mapping[str, str], embedder: "Embedder") -> Any:
    """A LanceDB table as a tutorial makes it: id, text and vector."""
    import lancedb

    return lancedb.connect(folder).create_table("chunks", plain_rows(texts, embedder))


def plain_rows(texts: Mapping[str, str], embedder: "Embedder") -> list[dict[str, Any]]:
    """The rows of such a table."""
    vectors = embedder.embed(list(texts.values()))
    return [
        {"id": name, "text": text, "vector": vector}
        for (name, text), vector in zip(texts.items(), vectors, strict=True)
    ]


def index_in(folder: Path) -> "CorpusIndex":
    """Our index in a folder."""
    from ops_pipelines.adapters.lancedb_index import LanceIndex

    return LanceIndex(folder, CORPUS)


def take(index: "CorpusIndex", texts: Mapping[str, str], embedder: "Embedder", *, re_embed: bool = False) -> "Snapshot":
    """The next snapshot in our index: the only place that calls `plan_snapshot` and `take_snapshot`."""
    from ops_pipelines.llmops.chunking import Chunker
    from ops_pipelines.llmops.corpus_index import latest_of, plan_snapshot, take_snapshot

    documents, before = documents_of(texts), latest_of(index)
    pin = embedder.pin()
    planned = plan_snapshot(CORPUS, before, documents, chunker=Chunker(), pin=pin, as_of=AS_OF, re_embed=re_embed)
    return take_snapshot(index, planned, embedder)


def found_by(index: "CorpusIndex", digest: str, embedder: "Embedder", questions: Sequence[str]) -> list[list[str]]:
    """The texts that a snapshot finds for each question, the best first."""
    from ops_pipelines.llmops.retrieval import DenseRetriever

    retriever = DenseRetriever(index.at(digest), embedder)
    return [[one.chunk.text for one in retriever.retrieve(question, 10)] for question in questions]


def answered(index: "CorpusIndex", digest: str, embedder: "Embedder") -> int:
    """How many of the questions find their own document first."""
    found = found_by(index, digest, embedder, list(QUESTIONS.values()))
    return sum(texts[:1] == [TEXTS[name]] for name, texts in zip(QUESTIONS, found, strict=True))
