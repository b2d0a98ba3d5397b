"""One snapshot of a corpus: collected, judged, and only then embedded and kept.

What is refused is never embedded, and the latest snapshot goes on answering.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from ops_pipelines.adapters.corpora import BLOCK, Corpora, CorpusSpec
from ops_pipelines.adapters.corpus_sources import collect_all
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.publishing import Product, shown_table, table_of
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, digest_json, short
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.llmops.corpus import Changes, Document, Snapshot, judge_changes
from ops_pipelines.llmops.corpus_collection import Collection, judge_collection, judge_whole
from ops_pipelines.llmops.corpus_freshness import judge_freshness, judge_reviews, judge_snapshot_age
from ops_pipelines.llmops.corpus_index import IndexedSnapshot, Planned, check_sound, latest_of, take_snapshot
from ops_pipelines.llmops.hostile_text import Finding, judge_hostile, scan_documents

RECONCILED, HOSTILE, WHOLE, FRESH = "is_reconciled", "hostile_text", "is_whole", "is_fresh"
FINDINGS = (HOSTILE, WHOLE, FRESH)
_SHOWN = 50


def make_snapshot(spec: CorpusSpec, platform: Platform, corpora: Corpora) -> Product:
    """The next snapshot, or why there is none: unreadable documents, too many gone, another embedder, hostile text."""
    as_of, collection = platform.clock.as_of(), collect_all(spec.sources)
    hostile = scan_documents(collection.documents)
    findings = {HOSTILE: judge_hostile(hostile), WHOLE: judge_whole(collection)}
    fresh = partial(judge_fresh, spec, corpora, collection.documents, as_of)
    rows = _findings_as_rows(hostile)
    try:
        planned = corpora.plan(spec, collection.documents, as_of)
        verdict = _gate(spec, collection, planned.changes, findings[HOSTILE])
    except DataError as error:  # two documents of one id, another embedder: the sources or the YAML are to be mended
        return _refused(Blocked((str(error),)), findings | {FRESH: fresh()}, rows)
    if not isinstance(verdict, Passed):
        return _refused(verdict, findings | {FRESH: fresh()}, rows)
    indexed = _keep(spec, platform, corpora, planned)
    made = _made(indexed, planned, verdict, findings | {FRESH: fresh()}, rows)
    return replace(made, facts={**made.facts, "embedder": spec.embedder, "fusion": asdict(spec.fusion)})


def judge_fresh(spec: CorpusSpec, corpora: Corpora, documents: Sequence[Document], as_of: datetime) -> Verdict:
    """How old the latest snapshot and the reviews of documents are: where a new one was refused, that of the one before."""
    latest = latest_of(corpora.index(spec.name))
    age = judge_snapshot_age(latest.as_of if latest else None, as_of, spec.freshness)
    return judge_freshness(age, judge_reviews(documents, as_of, spec.freshness))


def _gate(spec: CorpusSpec, collection: Collection, changes: Changes, hostile: Verdict) -> Verdict:
    """What has to hold before anything is embedded; the first that does not."""
    asked = [judge_collection(collection), judge_changes(changes, spec.reconcile)]
    if spec.hostile == BLOCK:
        asked.append(hostile)
    evidence = {name: value for verdict in asked for name, value in verdict.evidence.items()}
    return next((verdict for verdict in asked if not isinstance(verdict, Passed)), Passed(evidence))


def _refused(verdict: Verdict, findings: Mapping[str, Verdict], hostile: list[dict[str, Any]]) -> Product:
    return Product(table_of([]), digest_json(None), verdict, {}, facts={"hostile": hostile}, findings=findings)


def _keep(spec: CorpusSpec, platform: Platform, corpora: Corpora, planned: Planned) -> IndexedSnapshot:
    """The snapshot, embedded, kept and looked at again; its content and its pin are objects that a manifest can name."""
    index = corpora.index(spec.name)
    snapshot = take_snapshot(index, planned, corpora.embedder(spec))
    indexed = index.at(snapshot.digest)
    check_sound(indexed)
    for part in (snapshot.content, canonical_json(snapshot.pin.to_json())):
        platform.objects.put(part)
    return indexed


def _made(
    indexed: IndexedSnapshot,
    planned: Planned,
    verdict: Verdict,
    findings: Mapping[str, Verdict],
    hostile: list[dict[str, Any]],
) -> Product:
    snapshot = indexed.snapshot
    facts = {
        "changes": planned.changes.counts(),
        "embedded": len(planned.update_chunks),
        "pin": snapshot.pin.digest,
        "hostile": hostile,
    }
    shown = _shown(snapshot, planned, hostile)
    return Product(_chunk_rows(indexed), snapshot.digest, verdict, {}, facts=facts, shown=shown, findings=findings)


def _shown(snapshot: Snapshot, planned: Planned, hostile: list[dict[str, Any]]) -> dict[str, Any]:
    changes = planned.changes
    moved = [(kind, name) for kind in ("added", "changed", "removed") for name in getattr(changes, kind)]
    return {
        **changes.counts(),
        "chunks": len(snapshot.chunk_ids),
        "embedded chunks": len(planned.update_chunks),
        "tombstones": len(snapshot.tombstones),
        "embedder": str(snapshot.pin),
        "pin": short(snapshot.pin.digest),
        "what changed": shown_table({"change": kind, "document": name} for kind, name in moved[:_SHOWN]),
        "hostile text": shown_table(hostile[:_SHOWN]),
        "look": dg.MetadataValue.text(f"ops corpus diff {snapshot.corpus}"),
    }


def _chunk_rows(indexed: IndexedSnapshot) -> Any:
    """Each chunk with the document that it was cut from, that document's content, and where it came from."""
    documents = indexed.snapshot.documents
    return table_of(
        [
            {
                "chunk": chunk.id,
                "document": chunk.document,
                "document_digest": documents[chunk.document].digest,
                "source": documents[chunk.document].source,
                "position": chunk.position,
                "characters": len(chunk.text),
            }
            for chunk in indexed.chunks()
        ]
    )


def _findings_as_rows(hostile: Mapping[str, tuple[Finding, ...]]) -> list[dict[str, Any]]:
    return [
        {"document": name, "kind": one.kind, "start": one.start, "end": one.end, "excerpt": one.excerpt}
        for name, found in sorted(hostile.items())
        for one in found
    ]
