"""The fake of `llmops.embedding_pin.Embedder`, and the conformance suite that the fake and every adapter run.

A team that writes an embedder of its own subclasses the suite and gives it a fixture named `embedder`:

    class TestOurEmbedder(EmbedderConformance):
        @pytest.fixture
        def embedder(self):
            return OurEmbedder()
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.embedding_pin import PROBES, Embedder, EmbeddingPin, check_pin, check_vectors, probe_digest

if TYPE_CHECKING:
    import numpy as np

TEXTS = ("a pointer moves", "drift, drift, drift", "Ünïcode ☂ und Straße", "x" * 5000, "to be or not to be", "3.14 % 7")


class WordEmbedder:
    """An embedder for tests: each word is a direction that its seed chooses. It counts the texts that it was given.

    Two of them with different seeds are two spaces of one size. `claims` is the name that it gives itself, true or not.
    """

    def __init__(self, *, dims: int = 32, seed: int = 0, claims: str = "words") -> None:
        self.dims, self.seed, self.claims = dims, seed, claims
        self.embedded: list[str] = []
        """Every text that it was given, its own probes left out."""

    def pin(self) -> EmbeddingPin:
        return EmbeddingPin(
            name=self.claims,
            revision="1",
            weights_sha256=digest_json([self.claims, self.dims]),
            dims=self.dims,
            normalised=True,
            chunker="",
            probe_digest=probe_digest(self._rows(PROBES)),
        )

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        self.embedded += texts
        return self._rows(texts)

    def _rows(self, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np

        rows = np.zeros((len(texts), self.dims), dtype=np.float32)
        for at, text in enumerate(texts):
            for word in text.lower().split():
                rows[at] += self._direction(word)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        found: np.ndarray = rows / np.where(lengths > 0, lengths, 1)
        return found

    def _direction(self, word: str) -> "np.ndarray":
        import numpy as np

        drawn = int.from_bytes(hashlib.sha256(f"{self.seed}:{word}".encode()).digest()[:8])
        return np.random.default_rng(drawn).normal(size=self.dims).astype(np.float32)


class EmbedderConformance:
    """What every Embedder guarantees, as tests of the fixture `embedder`."""

    def test_a_row_for_each_text_of_the_size_and_length_that_the_pin_says(self, embedder: Embedder) -> None:
        vectors = embedder.embed(TEXTS)
        check_vectors(embedder.pin(), vectors, len(TEXTS))
        assert str(vectors.dtype) == "float32"

    def test_no_texts_are_no_rows(self, embedder: Embedder) -> None:
        assert embedder.embed([]).shape == (0, embedder.pin().dims)

    def test_a_blank_text_is_a_row_of_length_nought(self, embedder: Embedder) -> None:
        assert not embedder.embed([" \n"]).any()

    def test_a_text_lies_where_it_lies_whatever_stands_beside_it(self, embedder: Embedder) -> None:
        import numpy as np

        together = embedder.embed(TEXTS)
        alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
        assert np.allclose(together, alone, atol=1e-5)
        assert np.allclose(embedder.embed(TEXTS[::-1])[::-1], together, atol=1e-5)

    def test_the_same_text_is_nearer_to_itself_than_to_another(self, embedder: Embedder) -> None:
        import numpy as np

        vectors = embedder.embed(TEXTS)
        products = vectors @ vectors.T
        assert (np.argmax(products, axis=1) == np.arange(len(TEXTS))).all()

    def test_the_pin_is_the_same_each_time_and_names_no_chunker(self, embedder: Embedder) -> None:
        assert embedder.pin() == embedder.pin()
        assert embedder.pin().chunker == ""
        check_pin("a corpus", embedder.pin().of_chunks("passages-1/1200"), embedder.pin(), asks="query")

    def test_the_pin_is_proved_by_what_the_embedder_makes_of_the_probes(self, embedder: Embedder) -> None:
        assert probe_digest(embedder.embed(PROBES)) == embedder.pin().probe_digest
