import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.llmops.embedding_pin import (
    PROBES,
    EmbeddingPin,
    EmbeddingPinMismatch,
    check_pin,
    check_vectors,
    probe_digest,
)
from ops_pipelines.testing.embedders import WordEmbedder

PIN = EmbeddingPin("minilm", "53aa", "f" * 64, 384, True, "passages-1/1200", "0" * 64)


def vectors(seed: int, dims: int = 384) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(len(PROBES), dims))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_pin_comes_back_from_its_json():
    assert EmbeddingPin.from_json(PIN.to_json()) == PIN


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x"},
        {"revision": "x"},
        {"weights_sha256": "x"},
        {"dims": 8},
        {"normalised": False},
        {"probe_digest": "x"},
    ],
    ids=str,
)
def test_an_embedder_that_differs_in_anything_is_refused_and_what_differs_is_named(change):
    other = EmbeddingPin.from_json(PIN.to_json() | change)
    with pytest.raises(EmbeddingPinMismatch, match=f"they differ in {next(iter(change))}"):
        check_pin("runbooks", PIN, other, asks="query")


def test_the_message_says_what_was_built_with_what_and_what_to_do():
    other = EmbeddingPin("tfidf", "9c1e", "e" * 64, 384, True, "", "1" * 64)
    with pytest.raises(EmbeddingPinMismatch) as caught:
        check_pin("runbooks", PIN, other, asks="query")
    said = str(caught.value)
    assert "the index was built with minilm@53aa (384 dims" in said
    assert "the query embedder is tfidf@9c1e (384 dims" in said
    assert "Pin the query embedder to minilm@53aa, or re-snapshot the corpus with the other one." in said


def test_a_chunker_is_no_part_of_an_embedder():
    check_pin("runbooks", PIN, PIN.of_chunks(""), asks="query")


@given(st.integers(0, 500))
def test_the_probe_forgives_what_another_processor_rounds_and_no_other_space(seed):
    rows = vectors(seed)
    noise = np.random.default_rng(seed + 1).normal(scale=1e-9, size=rows.shape)
    assert probe_digest(rows + noise) == probe_digest(rows)
    assert probe_digest(rows) != probe_digest(vectors(seed + 1))


def test_the_probe_sees_a_turned_a_mirrored_and_a_slightly_trained_space():
    rows = vectors(0)
    others = [np.roll(rows, 1, axis=1), -rows, rows + 0.02 * vectors(1)]
    assert probe_digest(rows) not in {probe_digest(other) for other in others}


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_probe_tells_embedders_of_few_dimensions_apart(dims):
    rows = np.random.default_rng(0).random((len(PROBES), dims + 1))
    assert probe_digest(rows) != probe_digest(rows[::-1])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.ones((2, 31)), "shape"),
        (np.full((2, 32), np.nan), "no numbers"),
        (np.ones((2, 32)), "length"),
        (np.ones((1, 32)), "shape"),
    ],
)
def test_vectors_that_are_not_what_the_pin_says_are_refused(wrong, said):
    with pytest.raises(EmbeddingPinMismatch, match=said):
        check_vectors(WordEmbedder().pin(), wrong, 2)
