"""D14: a document was deleted, another one shortened, an id used again, and the old texts are still found.

A sync that puts what it sees never hears of what is gone. A snapshot is a full reconcile: what the sources hold no longer has
a tombstone, and no chunk of it is in the index.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.apps.drills.small_corpus import TEXTS, found_by, index_in, plain_rows, plain_table, take

BEFORE: Mapping[str, str] = {
    **TEXTS,
    "prices": "# Prices\n\nA ticket costs nine euros.\n\n# Discounts\n\nOn Mondays a ticket costs one euro for everybody.",
}
AFTER: Mapping[str, str] = {
    "parking": TEXTS["parking"],
    "password": TEXTS["password"],
    "holidays": "The canteen serves soup at noon.",
    "prices": "# Prices\n\nA ticket costs nine euros.",
}
"""Refunds were deleted, the discounts taken out of the prices, and the id `holidays` is another text's now."""
QUESTIONS = {
    "Refunds are paid": "when are refunds paid to the card that was charged",
    "Holidays are granted": "in which order are holidays granted",
    "On Mondays a ticket": "what does a ticket cost on Mondays for everybody",
}
"""What has to be found no more, and the question that found it."""


def unguarded(folder: Path) -> Outcome:
    """A sync that merges the chunks that it sees by their ids: `prices-0`, `prices-1`."""
    table = plain_table(folder, _chunks(BEFORE), _embedder())
    rows = plain_rows(_chunks(AFTER), _embedder())
    table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
    found = [_plainly_found(table, question) for question in QUESTIONS.values()]
    still = [gone for gone, texts in zip(QUESTIONS, found, strict=True) if any(gone in text for text in texts)]
    return Outcome(
        harmed=len(still) >= 2,  # an id that is used again is overwritten here, too; what has no successor stays
        caught=False,
        reason=f"{len(still)} of {len(QUESTIONS)} texts that are gone are found: {'; '.join(still)}",
        evidence={"still_found": still},
    )


def guarded(folder: Path) -> Outcome:
    """The same changes in two snapshots of ours."""
    index, embedder = index_in(folder), _embedder()
    first = take(index, BEFORE, embedder)
    second = take(index, AFTER, embedder)
    found = found_by(index, second.digest, embedder, list(QUESTIONS.values()))
    still = [gone for gone in QUESTIONS if any(gone in text for texts in found for text in texts)]
    before = found_by(index, first.digest, embedder, list(QUESTIONS.values()))
    knew = all(any(gone in text for text in texts) for gone, texts in zip(QUESTIONS, before, strict=True))
    stones = sorted(f"{stone.document} {stone.why}" for stone in second.tombstones)
    return Outcome(
        harmed=bool(still),
        caught=knew and len(stones) == len(QUESTIONS),
        reason=f"{len(still)} of {len(QUESTIONS)} texts under a tombstone are found: {'; '.join(stones)}",
        evidence={"still_found": still, "tombstones": stones, "the_old_snapshot_still_finds_them": knew},
    )


DRILL = Drill(
    number="D14",
    name="deleted documents",
    incident="documents that were deleted, shortened or replaced went on being answered from",
    source="retrieval pipelines that only ever insert and update",
    names=f"0 of {len(QUESTIONS)} texts under a tombstone are found: holidays changed; prices changed; refunds removed",
    unguarded=unguarded,
    guarded=guarded,
)


def _chunks(texts: Mapping[str, str]) -> dict[str, str]:
    """Each section of a document under the document's id and its number."""
    return {
        f"{name}-{number}": section
        for name, text in texts.items()
        for number, section in enumerate(text.split("\n\n# "))
    }


def _plainly_found(table: Any, question: str) -> list[str]:
    (vector,) = _embedder().embed([question])
    return [str(row["text"]) for row in table.search(vector).limit(3).to_list()]


def _embedder() -> Any:
    from ops_pipelines.adapters.embedders import HashingEmbedder

    return HashingEmbedder(dims=256)
