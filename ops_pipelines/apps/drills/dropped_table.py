"""D13: vectors of another size do not fit into a table, so the tool drops the table and begins a new one.

Then the new embedder fails half way, and there is nothing left to answer from. Here another embedder has to be asked for by
name, fills a table of its own, and becomes the latest snapshot when it is whole.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.apps.drills.small_corpus import QUESTIONS, TEXTS, answered, index_in, plain_rows, plain_table, take

if TYPE_CHECKING:
    import numpy as np

    from ops_pipelines.llmops.embedding_pin import EmbeddingPin

OLD, NEW = 256, 128


def unguarded(folder: Path) -> Outcome:
    """A sync that drops its table when the size is another one, and then loses its embedder."""
    import lancedb

    plain_table(folder, TEXTS, _embedder(OLD))
    database = lancedb.connect(folder)
    try:
        _drop_and_fill(database)
    except ConnectionError:
        rows = sum(database.open_table(name).count_rows() for name in database.list_tables().tables)
    else:
        rows = len(TEXTS)
    return Outcome(
        harmed=rows == 0,
        caught=False,
        reason=f"{rows} of {len(TEXTS)} documents are left to answer from",
        evidence={"rows": rows},
    )


def guarded(folder: Path) -> Outcome:
    """The same change of size, not asked for, then asked for and failing, then asked for and going well."""
    from ops_pipelines.llmops.embedding_pin import EmbeddingPinMismatch

    index = index_in(folder)
    old = take(index, TEXTS, _embedder(OLD))
    said, intact = [], []
    for embedder, re_embed in ((_embedder(NEW), False), (_Failing(NEW), True)):
        try:
            take(index, TEXTS, embedder, re_embed=re_embed)
        except (EmbeddingPinMismatch, ConnectionError) as error:
            said.append(str(error))
        intact.append(list(index.taken()) == [old.digest] and _answers(index, old.digest, OLD))
    new = take(index, TEXTS, _embedder(NEW), re_embed=True)
    both = _answers(index, old.digest, OLD) and _answers(index, new.digest, NEW)
    return Outcome(
        harmed=not (all(intact) and both),
        caught=len(said) == 2 and both,
        reason="; ".join(said),
        evidence={"intact_after_each_failure": intact, "old_and_new_answer": both},
    )


DRILL = Drill(
    number="D13",
    name="dropped table",
    incident="a change of the vectors' size made a tool drop the table that it answered from",
    source="vector stores that recreate a collection when the dimension differs",
    names="re_embed: ",
    unguarded=unguarded,
    guarded=guarded,
)


class _Failing:
    """An embedder whose provider is gone when the work begins."""

    def __init__(self, dims: int) -> None:
        self._embedder = _embedder(dims)

    def pin(self) -> "EmbeddingPin":
        found: EmbeddingPin = self._embedder.pin()
        return found

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        raise ConnectionError(f"the provider is gone, with {len(texts)} texts to do")


def _drop_and_fill(database: Any) -> None:
    import pyarrow as pa

    database.drop_table("chunks")
    size = pa.list_(pa.float32(), NEW)
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("vector", size)])
    table = database.create_table("chunks", schema=schema)
    table.add(plain_rows(TEXTS, _Failing(NEW)))


def _answers(index: Any, digest: str, dims: int) -> bool:
    return answered(index, digest, _embedder(dims)) == len(QUESTIONS)


def _embedder(dims: int) -> Any:
    from ops_pipelines.adapters.embedders import HashingEmbedder

    return HashingEmbedder(dims=dims)
