"""Which embedder made a vector, and the refusal of any other.

Two embedders with the same number of dimensions give vectors that can be compared and mean nothing to each other, and no
index notices. So an index keeps the pin of what filled it, and whoever adds to it or asks it shows a pin of its own.
Names and revisions are claims; the probe is evidence: what the embedder makes of some fixed texts, now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_json, short

if TYPE_CHECKING:
    import numpy as np

PROBES = (
    "How is the last promotion taken back?",
    "the pointer moves by compare-and-swap, and its history is only ever appended to",
    "drift: PSI 0.31 on departure_hour, 2 of 3 weeks",
    "SELECT count(*) FROM moves WHERE environment = 'production';",
    "Un aéroport sous la neige, -12 °C",
    "天気が悪いので便が遅れる",
    "refuse",
    "error 503 at 10:42:07 on host eu-west-1b",
)
"""Texts of several kinds, so that an embedder that differs in any of them differs here."""
_STRONGEST = 16


class EmbeddingPinMismatch(DataError):
    """An embedder that is not the one whose vectors an index holds."""


@dataclass(frozen=True, slots=True)
class EmbeddingPin:
    """What decides where a text lies: the embedder with its weights, the vector's form, the chunks, and the probe.

    `chunker` is how texts were cut before they were embedded; an embedder itself knows none, and leaves it empty.
    """

    name: str
    revision: str
    weights_sha256: str
    dims: int
    normalised: bool
    chunker: str
    probe_digest: str

    @property
    def digest(self) -> str:
        return digest_json(self.to_json())

    def of_chunks(self, chunker: str) -> "EmbeddingPin":
        """The pin of an index that holds the chunks of this chunker."""
        return replace(self, chunker=chunker)

    def to_json(self) -> dict[str, Any]:
        """The pin as plain JSON, read back by `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "EmbeddingPin":
        """The pin that `to_json` wrote."""
        return cls(**record)

    def __str__(self) -> str:
        return f"{self.name}@{self.revision[:12]} ({self.dims} dims, probe {self.probe_digest[:8]})"


class Embedder(Protocol):
    """Texts as vectors, each text alone: what stands beside it in a batch moves nothing."""

    def pin(self) -> EmbeddingPin:
        """Who this is, with a probe that is made now; `chunker` is empty."""
        ...

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        """One float32 row of `dims` a text, all values finite; where the pin says normalised of length 1, or 0 if blank."""
        ...


def probe_digest(vectors: "np.ndarray") -> str:
    """The digest of what an embedder made of `PROBES`: each probe's strongest dimensions with a coarse value.

    All values would differ in the last bits from one processor to the next. Which dimensions are the strongest does not,
    and another embedder, or the same one fine-tuned, agrees on them by no chance.
    """
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(lengths > 0, lengths, 1)
    codes = []
    for unit in units:
        strongest = np.sort(np.argsort(-np.abs(unit), kind="stable")[:_STRONGEST])
        codes.append([[int(at), round(float(unit[at]) * 10)] for at in strongest])
    return digest_json([vectors.shape[1], codes])


def check_pin(corpus: str, index: EmbeddingPin, embedder: EmbeddingPin, *, asks: str) -> None:
    """Raises EmbeddingPinMismatch where an embedder is not the one that filled an index; the chunker is not compared.

    `asks` names the embedder's part: "query" or "snapshot".
    """
    differs = [
        name for name, value in asdict(index.of_chunks("")).items() if getattr(embedder.of_chunks(""), name) != value
    ]
    if not differs:
        return
    remedy = (
        f"or embed everything again: `re_embed: {short(index.digest)}` in its defs.yaml"
        if asks == "snapshot"
        else "or re-snapshot the corpus with the other one"
    )
    raise EmbeddingPinMismatch(
        f"Embedding pin mismatch for corpus {corpus!r}: the index was built with {index}, the {asks} embedder is "
        f"{embedder}; they differ in {', '.join(differs)}",
        expected=f"the embedder {index.name}@{index.revision[:12]}",
        action=f"Pin the {asks} embedder to {index.name}@{index.revision[:12]}, {remedy}",
        corpus=corpus,
        index=index.to_json(),
        embedder=embedder.to_json(),
        differs=differs,
    )


def check_vectors(pin: EmbeddingPin, vectors: "np.ndarray", texts: int) -> None:
    """Raises EmbeddingPinMismatch for vectors that are not what the pin says: shape, finite values, length."""
    import numpy as np

    wrong = ""
    if vectors.shape != (texts, pin.dims):
        wrong = f"has the shape {vectors.shape}"
    elif not np.isfinite(vectors).all():
        wrong = "holds values that are no numbers"
    elif pin.normalised and not _are_units(vectors):
        wrong = "holds rows of another length than 1"
    if wrong:
        raise EmbeddingPinMismatch(
            f"What {pin} made of {texts} texts {wrong}",
            expected=f"{texts} finite rows of {pin.dims}{' and length 1' if pin.normalised else ''}",
            action="Mend the embedder; the index was not touched",
            pin=pin.to_json(),
        )


def _are_units(vectors: "np.ndarray") -> bool:
    """Whether every row has the length 1, or 0 as that of a blank text."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1)
    return bool(((np.abs(lengths - 1) < 1e-3) | (lengths == 0)).all())
