import os
import subprocess
import sys

import pytest

from ops_pipelines.adapters.embedders import HashingEmbedder, embedder_named
from ops_pipelines.adapters.sentence_transformer import SentenceTransformerEmbedder, missing_packages
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops.embedding_pin import Embedder, EmbeddingPinMismatch, check_pin
from ops_pipelines.testing.embedders import EmbedderConformance, WordEmbedder

MISSING = missing_packages()


class TestHashing(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashingEmbedder()


class TestWords(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return WordEmbedder()


@pytest.mark.skipif(bool(MISSING), reason=f"the extra `embeddings` is not installed: {', '.join(MISSING)}")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
class TestSentenceTransformer(EmbedderConformance):
    @pytest.fixture(scope="class")
    def embedder(self) -> Embedder:
        return SentenceTransformerEmbedder()

    def test_it_sees_meaning_where_no_word_is_shared(self, embedder: Embedder) -> None:
        asked, near, far = embedder.embed(["undo the release", "roll back the deployment", "snow at the airport"])
        assert asked @ near > asked @ far


def test_the_default_embedder_gives_the_same_pin_in_every_process():
    code = "from ops_pipelines.adapters.embedders import HashingEmbedder; print(HashingEmbedder().pin().digest)"
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == HashingEmbedder().pin().digest


def test_another_seed_of_the_default_embedder_is_another_space_and_refused():
    with pytest.raises(EmbeddingPinMismatch, match="probe_digest"):
        check_pin("runbooks", HashingEmbedder().pin(), HashingEmbedder(seed=1).pin(), asks="query")


def test_spelling_brings_texts_together_that_share_no_word():
    asked, near, far = HashingEmbedder().embed(["retraining failures", "the retrained model failed", "snowy airports"])
    assert asked @ near > 0.1 > abs(asked @ far)


def test_an_embedder_is_found_by_its_name_and_a_misspelt_one_by_its_nearest():
    assert embedder_named("hashing") == HashingEmbedder()
    assert isinstance(embedder_named("ops_pipelines.testing.embedders:WordEmbedder"), WordEmbedder)
    with pytest.raises(ConfigError, match="Did you mean 'hashing'"):
        embedder_named("hasing")


def test_what_is_no_embedder_is_refused():
    with pytest.raises(ConfigError, match="has no pin, embed"):
        embedder_named("builtins:list")


@pytest.mark.skipif(not MISSING, reason="the extra `embeddings` is installed")
def test_a_missing_extra_is_named_with_what_to_install():
    with pytest.raises(ConfigError, match="CPU build of torch"):
        embedder_named("sentence-transformer")
