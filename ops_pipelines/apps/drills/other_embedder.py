"""D12: the embedder of a corpus is retired, and its successor gives vectors of another size, or of the same.

Another size is an error somewhere. The same size is none anywhere: the vectors are compared, and what comes back looks like
an answer. The pin of an index is proved by what the embedder makes of fixed texts, so that both are refused, with names.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.apps.drills.small_corpus import QUESTIONS, TEXTS, answered, found_by, index_in, plain_table, take

if TYPE_CHECKING:
    from ops_pipelines.adapters.embedders import HashingEmbedder

DIMS = 256


def unguarded(folder: Path) -> Outcome:
    """A plain vector table asked with the successor's vectors: no error, and the wrong documents."""
    table = plain_table(folder, TEXTS, _embedder())
    right = {
        seed: sum(_first(table, question, seed) == name for name, question in QUESTIONS.items()) for seed in (0, 1)
    }
    return Outcome(
        harmed=right[0] == len(QUESTIONS) and right[1] < len(QUESTIONS),
        caught=False,
        reason=f"{right[0]} of {len(QUESTIONS)} questions found their document before the upgrade, {right[1]} after it",
        evidence={"right_before": right[0], "right_after": right[1]},
    )


def guarded(folder: Path) -> Outcome:
    """Our index asked, and filled, with both successors: each is refused, and the old embedder goes on being answered."""
    index = index_in(folder)
    snapshot = take(index, TEXTS, _embedder())
    refusals = [
        _refusal(lambda other=other, ask=ask: ask(other))  # type: ignore[misc]
        for other in (_embedder(dims=DIMS // 2), _embedder(seed=1))
        for ask in (
            lambda other: found_by(index, snapshot.digest, other, list(QUESTIONS.values())),
            lambda other: take(index, {**TEXTS, "new": "A new document."}, other),
        )
    ]
    kept = list(index.taken()) == [snapshot.digest] and answered(index, snapshot.digest, _embedder()) == len(QUESTIONS)
    return Outcome(
        harmed=not kept,
        caught=all(refusals),
        reason="; ".join(filter(None, refusals[-2:])),
        evidence={"refused": len([one for one in refusals if one]), "asked": len(refusals)},
    )


DRILL = Drill(
    number="D12",
    name="another embedder",
    incident="an embedding model was retired: its successor's vectors had the same size and meant something else",
    source="retirement of text-embedding models by their providers, 2024 to 2026",
    names="they differ in",
    unguarded=unguarded,
    guarded=guarded,
)


def _embedder(*, dims: int = DIMS, seed: int = 0) -> "HashingEmbedder":
    from ops_pipelines.adapters.embedders import HashingEmbedder

    return HashingEmbedder(dims=dims, seed=seed)


def _first(table: object, question: str, seed: int) -> str:
    (vector,) = _embedder(seed=seed).embed([question])
    return str(table.search(vector).limit(1).to_list()[0]["id"])  # type: ignore[attr-defined]


def _refusal(act: object) -> str:
    """What an embedder was refused with; empty where it was not."""
    from ops_pipelines.llmops.embedding_pin import EmbeddingPinMismatch

    try:
        act()  # type: ignore[operator]
    except EmbeddingPinMismatch as error:
        return str(error)
    return ""
