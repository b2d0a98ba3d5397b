"""Embedders by name: the stateless default, one that was trained on sentences, or a team's own as `module:function`.

The default needs no weights and learns nothing from a corpus, so that a document's vector never moves because another
document came. It knows words and spelling, and no meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.fingerprint import digest_bytes, digest_json
from ops_pipelines.llmops.embedding_pin import PROBES, Embedder, EmbeddingPin, probe_digest
from ops_pipelines.mlops.training import import_function

if TYPE_CHECKING:
    import numpy as np

HASHING, SENTENCES = "hashing", "sentence-transformer"
EMBEDDERS = {
    HASHING: "ops_pipelines.adapters.embedders:HashingEmbedder",
    SENTENCES: "ops_pipelines.adapters.sentence_transformer:SentenceTransformerEmbedder",
}
"""Where each embedder that comes with this package is."""

_FEATURES, _COPIES = 2**18, 4
_SPELLING = 0.5
_VERSION = 1


def embedder_named(name: str) -> Embedder:
    """The embedder of a name, or the one that `module:function` returns when called without arguments.

    Raises ConfigError for an unknown name, one that cannot be imported, and one that lacks a method of Embedder.
    """
    if ":" not in name and name not in EMBEDDERS:
        raise ConfigError(
            f"No embedder is named {name!r}",
            expected=f"one of {', '.join(sorted(EMBEDDERS))}, or module:function for your own",
            action=near_miss(name, EMBEDDERS),
            embedder=name,
        )
    embedder: Embedder = import_function(EMBEDDERS.get(name, name), what="embedder")()
    missing = [method for method in ("pin", "embed") if not callable(getattr(embedder, method, None))]
    if missing:
        raise ConfigError(
            f"The embedder {name!r} has no {', '.join(missing)}",
            expected="an object with the methods pin and embed",
            action="See ops_pipelines.llmops.embedding_pin.Embedder, and run EmbedderConformance on it",
            embedder=name,
        )
    return embedder


@dataclass(frozen=True, slots=True)
class HashingEmbedder:
    """Words and pieces of words, hashed, weighed by the logarithm of how often they come, and projected to `dims`.

    Each of the 2^18 hashed features goes to four dimensions with a sign, by an integer hash of the seed: the same on every
    machine and with every version of numpy. A random projection keeps inner products (Achlioptas, 2003).
    """

    dims: int = 1024
    seed: int = 0

    def pin(self) -> EmbeddingPin:
        """The pin; its weights are the projection, which the seed and the sizes make."""
        return EmbeddingPin(
            name=HASHING,
            revision=digest_json(["hashing", _VERSION, self.dims, self.seed, _FEATURES, _COPIES, _SPELLING])[:12],
            weights_sha256=_weights_digest(self.dims, self.seed),
            dims=self.dims,
            normalised=True,
            chunker="",
            probe_digest=probe_digest(self.embed(PROBES)),
        )

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        """One row a text, of length 1; of length 0 for a text without any word."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dims), dtype=np.float32)
        words, spelling = (_weighed(part.transform(texts)) for part in _vectorizers())
        dense = ((words + _SPELLING * spelling) @ _projection(self.dims, self.seed)).toarray()
        lengths = np.linalg.norm(dense, axis=1, keepdims=True)
        rows: np.ndarray = (dense / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        return rows


@cache
def _vectorizers() -> tuple[Any, Any]:
    """Words without the commonest ones, and pieces of four and five characters inside words."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, HashingVectorizer

    plain = {"n_features": _FEATURES, "alternate_sign": False, "norm": None}
    return (
        HashingVectorizer(**plain, stop_words=sorted(ENGLISH_STOP_WORDS), token_pattern=r"(?u)\b\w+\b"),
        HashingVectorizer(**plain, analyzer="char_wb", ngram_range=(4, 5)),
    )


def _weighed(counts: Any) -> Any:
    """Counts as 1 + log(count), each row of length 1; an empty row stays empty."""
    import numpy as np
    from scipy import sparse

    counts.data = 1 + np.log(counts.data)
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    return sparse.diags_array(1 / np.where(lengths > 0, lengths, 1)) @ counts


@cache
def _projection(dims: int, seed: int) -> Any:
    """The sparse projection: `_COPIES` signed places a feature."""
    import numpy as np
    from scipy import sparse

    drawn = _mixed(np.arange(_FEATURES * _COPIES, dtype=np.uint64), seed)
    places = ((drawn >> np.uint64(1)) % np.uint64(dims)).astype(np.int64)
    signs = np.where(drawn & np.uint64(1), 1.0, -1.0) / np.sqrt(_COPIES)
    starts = np.arange(0, _FEATURES * _COPIES + 1, _COPIES)
    return sparse.csr_array((signs, places, starts), shape=(_FEATURES, dims))


def _mixed(numbers: "np.ndarray", seed: int) -> "np.ndarray":
    """SplitMix64 of each number (Steele, Lea and Flood, 2014), whose arithmetic wraps around."""
    import numpy as np

    mixed = (numbers + np.uint64(seed * 0x51_7C_C1_B7 + 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return found


@cache
def _weights_digest(dims: int, seed: int) -> str:
    projection = _projection(dims, seed)
    return digest_bytes(projection.indices.astype("<i8").tobytes() + projection.data.astype("<f8").tobytes())
