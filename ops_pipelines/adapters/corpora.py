"""A corpus as its YAML declares it, and everything of it that lies in a home: index, embedder, retrievers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.bm25_retriever import BM25Retriever
from ops_pipelines.adapters.corpus_sources import FolderSource, PackageSource, Policy
from ops_pipelines.adapters.declared import declared_in
from ops_pipelines.adapters.embedders import HASHING, embedder_named
from ops_pipelines.adapters.lancedb_index import LanceIndex
from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.llmops.chunking import Chunker
from ops_pipelines.llmops.corpus import Document, ReconcileRule
from ops_pipelines.llmops.corpus_freshness import FreshnessRule
from ops_pipelines.llmops.corpus_index import (
    CorpusIndex,
    IndexedSnapshot,
    Planned,
    latest_of,
    open_latest,
    plan_snapshot,
)
from ops_pipelines.llmops.embedding_pin import Embedder
from ops_pipelines.llmops.retrieval import (
    DENSE,
    HYBRID,
    LEXICAL,
    MODES,
    DenseRetriever,
    Fusion,
    HybridRetriever,
    Retriever,
)

WARN, BLOCK = "warn", "block"
Source = FolderSource | PackageSource


@dataclass(frozen=True, slots=True)
class CorpusSpec:
    """A corpus as declared. `re_embed` names the pin, by its first digits, that may be replaced by another embedder."""

    name: str
    sources: tuple[Source, ...]
    chunker: Chunker = field(default_factory=Chunker)
    embedder: str = HASHING
    reconcile: ReconcileRule = field(default_factory=ReconcileRule)
    freshness: FreshnessRule = field(default_factory=FreshnessRule)
    fusion: Fusion = field(default_factory=Fusion)
    hostile: str = WARN
    re_embed: str | None = None

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError(f"Corpus {self.name!r} has no sources", expected="at least one", action="Name a folder")
        if self.hostile not in (WARN, BLOCK):
            raise ConfigError(
                f"hostile of corpus {self.name!r} is {self.hostile!r}",
                expected=f"{WARN} or {BLOCK}",
                action=near_miss(self.hostile, (WARN, BLOCK)),
            )


def spec_of(attributes: Mapping[str, Any], root: Path) -> CorpusSpec:
    """The spec of a Corpus's attributes, whose folders are named from `root`; ConfigError for what cannot be."""
    name = str(attributes["name"])
    return CorpusSpec(
        name=name,
        sources=tuple(_source(name, declared, root) for declared in attributes.get("sources", ())),
        chunker=Chunker(**attributes.get("chunker", {})),
        embedder=str(attributes.get("embedder", HASHING)),
        reconcile=ReconcileRule(**attributes.get("reconcile", {})),
        freshness=FreshnessRule(**attributes.get("freshness", {})),
        fusion=Fusion(**attributes.get("fusion", {})),
        hostile=str(attributes.get("hostile", WARN)),
        re_embed=attributes.get("re_embed"),
    )


def _source(corpus: str, declared: Mapping[str, Any], root: Path) -> Source:
    settings = {name: value for name, value in declared.items() if value is not None}
    policy = Policy(**{name: settings.pop(name) for name in ("unreadable", "max_bytes") if name in settings})
    if settings.keys() == {"packages"}:
        return PackageSource(tuple(settings["packages"]), policy)
    if "folder" in settings and settings.keys() <= {"folder", "match"}:
        match = {"match": tuple(settings["match"])} if "match" in settings else {}
        return FolderSource(root, str(settings["folder"]), policy=policy, **match)
    raise ConfigError(
        f"A source of corpus {corpus!r} names {', '.join(sorted(settings)) or 'nothing'}",
        expected="a folder (with match), or packages",
        action="Write each source as an entry of its own under `sources` in defs.yaml",
        corpus=corpus,
    )


@dataclass(frozen=True, slots=True)
class Corpora:
    """The corpora of a home. Embedders and retrievers are made when they are asked for."""

    home: Path
    embedders: Mapping[str, Embedder] = field(default_factory=dict)

    def names(self) -> list[str]:
        """The corpora that lie in the home, declared or not, in order."""
        return sorted(folder.parent.name for folder in (self.home / "corpora").glob("*/snapshots"))

    def index(self, name: str) -> CorpusIndex:
        """The snapshots of a corpus; there may be none yet."""
        return LanceIndex(self.home / "corpora", name)

    def embedder(self, spec: CorpusSpec) -> Embedder:
        """The embedder that a corpus declares."""
        return self.embedder_named(spec.embedder)

    def plan(self, spec: CorpusSpec, documents: Sequence[Document], as_of: datetime) -> Planned:
        """The next snapshot of a corpus on top of its latest one; nothing is embedded, and nothing written."""
        before, pin = latest_of(self.index(spec.name)), self.embedder(spec).pin()
        replaced = bool(spec.re_embed and before and before.pin.digest.startswith(spec.re_embed))
        anew = replaced and before is not None and before.pin != pin.of_chunks(spec.chunker.id)
        return plan_snapshot(spec.name, before, documents, chunker=spec.chunker, pin=pin, as_of=as_of, re_embed=anew)

    def open(self, spec: CorpusSpec, digest: str | None = None) -> IndexedSnapshot:
        """The latest snapshot of a corpus, or the one whose digest begins with these digits."""
        return open_latest(spec.name, self.index(spec.name), digest)

    def retriever(self, spec: CorpusSpec, *, mode: str = HYBRID, digest: str | None = None) -> Retriever:
        """What finds chunks of a snapshot; EmbeddingPinMismatch for another embedder than it was built with."""
        check_mode(mode)
        return self.reader(self.open(spec, digest), self.embedder(spec), mode=mode, fusion=spec.fusion)

    def reader(self, indexed: IndexedSnapshot, embedder: Embedder, *, mode: str, fusion: Fusion) -> Retriever:
        """What finds chunks of an opened snapshot; EmbeddingPinMismatch as above, ConfigError for an unknown mode."""
        check_mode(mode)
        if mode == LEXICAL:
            return BM25Retriever(indexed)
        dense = DenseRetriever(indexed, embedder)
        return dense if mode == DENSE else HybridRetriever(BM25Retriever(indexed), dense, fusion)

    def embedder_named(self, name: str) -> Embedder:
        """The embedder of a name that a corpus declares."""
        return self.embedders.get(name) or embedder_named(name)


def check_mode(mode: str) -> None:
    """Raises ConfigError with the nearest one for a way to look up that there is not."""
    if mode not in MODES:
        raise ConfigError(
            f"There is no retrieval by {mode!r}",
            expected=f"one of {', '.join(MODES)}",
            action=near_miss(mode, MODES),
        )


def declared_corpora(defs: Path, root: Path) -> dict[str, CorpusSpec]:
    """The corpora that the YAML files of a project declare, by name."""
    found = declared_in(defs).kinds.get("Corpus", {})
    return {name: spec_of(attributes, root) for name, attributes in sorted(found.items())}


def declared_corpus(defs: Path, root: Path, name: str) -> CorpusSpec:
    """The corpus of a name; ConfigError with the nearest one where none is declared."""
    return spec_of(declared_in(defs).named("Corpus", name), root)
