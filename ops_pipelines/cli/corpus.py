"""`ops corpus list|diff|search|pin`: what is retrieved from, how it changed, what a question finds, and who embedded it.

These verbs change nothing: a snapshot is taken by materializing `<corpus>/snapshot`.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from datetime import datetime

    from ops_pipelines.adapters.corpora import Corpora, CorpusSpec
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.corpus import Snapshot

app = typer.Typer()
corpus = typer.Typer(
    help="list, diff, search or pin: what is retrieved from.", no_args_is_help=True, suggest_commands=False
)
app.add_typer(corpus, name="corpus")
Name = Annotated[str, typer.Argument(help="The corpus, for instance runbooks.")]
_EXCERPT = 120


@app.callback()
def _family() -> None:
    pass


@corpus.command("list")
def list_snapshots(
    name: Annotated[str | None, typer.Argument(help="Only this corpus, with each of its snapshots.")] = None,
    as_json: AsJson = False,
) -> None:
    """One line a corpus with its latest snapshot; of one corpus a line a snapshot, the latest last."""
    platform, corpora, specs = _home()
    chosen = [_named(name)] if name else list(specs.values())
    rows = [row for spec in chosen for row in _snapshots(platform, corpora, spec, every=name is not None)]
    show(rows, title="corpora", as_json=as_json)


@corpus.command("diff")
def diff(
    name: Name,
    old: Annotated[str | None, typer.Argument(help="A snapshot, by its first digits; the latest without.")] = None,
    new: Annotated[str | None, typer.Argument(help="A later one; without it, what the sources hold now.")] = None,
    as_json: AsJson = False,
) -> None:
    """The documents that were added, changed or removed from one snapshot to another, or to what the sources hold now."""
    from ops_pipelines.adapters.corpus_sources import collect_all
    from ops_pipelines.llmops.corpus import compare, contents_of, digests_of

    _, corpora, _ = _home()
    spec = _named(name)
    before = corpora.open(spec, old).snapshot if old or corpora.index(name).taken() else None
    now = digests_of(corpora.open(spec, new).snapshot) if new else contents_of(collect_all(spec.sources).documents)
    changes, held = compare(digests_of(before), now), digests_of(before)
    rows = [
        {"change": kind, "document": one, "before": held.get(one, "")[:12], "after": now.get(one, "")[:12]}
        for kind in ("added", "changed", "removed")
        for one in getattr(changes, kind)
    ]
    show(rows, title=f"changes of {name}", as_json=as_json)


@corpus.command("search")
def search(
    name: Name,
    query: Annotated[str, typer.Argument(help="What is asked.")],
    k: Annotated[int, typer.Option("--k", "-k", help="At most so many chunks.", min=1)] = 5,
    mode: Annotated[str, typer.Option(help="lexical, dense or hybrid.")] = "hybrid",
    snapshot: Annotated[str | None, typer.Option(help="A snapshot, by its first digits; the latest without.")] = None,
    as_json: AsJson = False,
) -> None:
    """The chunks that a question finds, the best first, each with its document and the place where it stands there."""
    _, corpora, _ = _home()
    found = corpora.retriever(_named(name), mode=mode, digest=snapshot).retrieve(query, k)
    rows: list[dict[str, Any]] = [
        {
            "rank": one.rank,
            "score": round(one.score, 4),
            "document": one.chunk.document,
            "position": one.chunk.position,
            "chunk": one.chunk.id,
            "text": one.chunk.text if as_json else " ".join(one.chunk.text.split())[:_EXCERPT],
        }
        for one in found
    ]
    show(rows, title=f"{name}: {query}", as_json=as_json)


@corpus.command("pin")
def pin(
    name: Name,
    snapshot: Annotated[str | None, typer.Option(help="A snapshot, by its first digits; the latest without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who embedded a snapshot, beside the embedder that is declared now. Exit 1 where they are not the same."""
    _, corpora, _ = _home()
    spec = _named(name)
    index = corpora.open(spec, snapshot).snapshot.pin
    declared = corpora.embedder(spec).pin().of_chunks(spec.chunker.id)
    rows = [
        {"part": part, "index": value, "declared": declared.to_json()[part], "same": value == declared.to_json()[part]}
        for part, value in index.to_json().items()
    ]
    rows.append({"part": "digest", "index": index.digest, "declared": declared.digest, "same": index == declared})
    show([{**row, "same": "yes" if row["same"] else "NO"} for row in rows] if not as_json else rows, as_json=as_json)
    if index != declared:
        raise typer.Exit(REFUSED)


def _home() -> "tuple[Platform, Corpora, dict[str, CorpusSpec]]":
    from ops_pipelines.adapters.corpora import Corpora, declared_corpora
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.cli.dg_project import make_importable, read_dg_project

    platform = Platform.embedded()
    root = platform.project.root
    make_importable(root)
    return platform, Corpora(platform.project.home), declared_corpora(read_dg_project(root).defs_folder, root)


def _named(name: str) -> "CorpusSpec":
    from ops_pipelines.adapters.corpora import declared_corpus
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.cli.dg_project import read_dg_project

    root = find_project().root
    return declared_corpus(read_dg_project(root).defs_folder, root, name)


def _snapshots(platform: "Platform", corpora: "Corpora", spec: "CorpusSpec", *, every: bool) -> list[dict[str, Any]]:
    """A row for each snapshot that was taken, or for the latest alone; one that says so where there is none."""
    index = corpora.index(spec.name)
    taken = list(index.taken())
    if not taken:
        return [{"corpus": spec.name, "snapshot": "none yet", **dict.fromkeys(_COLUMNS, "")}]
    found = [index.at(digest).snapshot for digest in (taken if every else taken[-1:])]
    return [_row(spec, snapshot, platform.clock.as_of()) for snapshot in found]


_COLUMNS = ("documents", "chunks", "tombstones", "embedder", "taken", "fresh")


def _row(spec: "CorpusSpec", snapshot: "Snapshot", now: "datetime") -> dict[str, Any]:
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.core.verdict import name_of
    from ops_pipelines.llmops.corpus_freshness import judge_snapshot_age

    told = (
        len(snapshot.documents),
        len(snapshot.chunk_ids),
        len(snapshot.tombstones),
        str(snapshot.pin),
        snapshot.as_of.isoformat(timespec="seconds"),
        name_of(judge_snapshot_age(snapshot.as_of, now, spec.freshness)),
    )
    return {"corpus": spec.name, "snapshot": short(snapshot.digest), **dict(zip(_COLUMNS, told, strict=True))}
