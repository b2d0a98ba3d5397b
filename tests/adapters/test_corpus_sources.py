from importlib.metadata import version

import pytest

from ops_pipelines.adapters.corpora import Corpora, CorpusSpec, spec_of
from ops_pipelines.adapters.corpus_sources import FolderSource, PackageSource, Policy, collect_all
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.corpus import ReconcileRule
from ops_pipelines.llmops.corpus_collection import judge_collection, judge_whole
from ops_pipelines.llmops.embedding_pin import EmbeddingPinMismatch
from ops_pipelines.testing.corpus_index import MONDAY
from ops_pipelines.testing.embedders import WordEmbedder

SKIP = Policy(unreadable="skip", max_bytes=100)


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# A\n\nFirst.")
    (folder / "deep" / "b.html").write_text("<title>B</title><p>Second.")
    (folder / "c.py").write_text("print('no document')")
    (folder / ".hidden.md").write_text("hidden")
    return folder


def collected(root, **more):
    return FolderSource(root, "notes", **more).collect()


def test_the_documents_of_a_folder_are_named_by_their_path(tmp_path, notes):
    found = collected(tmp_path)
    assert [document.id for document in found.documents] == ["notes/a.md", "notes/deep/b.html"]
    assert [document.metadata for document in found.documents] == [{"title": "A"}, {"title": "B"}]
    assert found.problems == ()


def test_only_names_that_match_are_documents(tmp_path, notes):
    assert [document.id for document in collected(tmp_path, match=("b.*",)).documents] == ["notes/deep/b.html"]


def test_a_document_that_is_no_text_is_an_error_and_blocks(tmp_path, notes):
    (notes / "latin.txt").write_bytes(b"caf\xe9")
    verdict = judge_collection(collected(tmp_path))
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("notes/latin.txt cannot be read: byte 3 is not UTF-8",)


def test_where_it_is_skipped_the_rest_is_taken_and_the_finding_names_it(tmp_path, notes):
    (notes / "big.txt").write_text("x" * 101)
    found = collected(tmp_path, policy=SKIP)
    assert len(found.documents) == 2
    assert isinstance(judge_collection(found), Passed)
    whole = judge_whole(found)
    assert isinstance(whole, Blocked)
    assert whole.reasons == ("notes/big.txt has 101 bytes, and 100 are allowed and was skipped",)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path, notes):
    (tmp_path / "secret.md").write_text("secret")
    (notes / "link.md").symlink_to(tmp_path / "secret.md")
    (problem,) = collected(tmp_path).problems
    assert "leads out of its folder" in str(problem)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="There is no folder"):
        collected(tmp_path)


def test_what_packages_say_of_themselves_is_a_document_each_with_its_version():
    (document,) = PackageSource(["bm25s"]).collect().documents
    assert (document.id, document.metadata["version"]) == ("packages/bm25s", version("bm25s"))
    assert "bm25" in document.text.lower()


def test_a_package_that_is_not_installed_is_a_problem_of_its_policy():
    found = collect_all([PackageSource(["bm25s", "no-such-package"]), PackageSource(["neither"], SKIP)])
    assert [str(problem) for problem in found.problems] == [
        "packages/no-such-package is not installed",
        "packages/neither is not installed",
    ]
    assert isinstance(judge_collection(found), Blocked)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"sources": []}, "no sources"),
        ({"sources": [{"folder": "notes", "packages": ["x"]}]}, "names folder, packages"),
        ({"sources": [{"match": ["*"]}]}, "names match"),
        ({"sources": [{"folder": "notes", "unreadable": "ignore"}]}, "error or skip"),
        ({"sources": [{"folder": "notes"}], "hostile": "blok"}, "Did you mean 'block'"),
        ({"sources": [{"folder": "notes"}], "reconcile": {"max_removed": 2}}, "max_removed"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(tmp_path, attributes, said):
    with pytest.raises(ConfigError, match=said):
        spec_of({"name": "notes", **attributes}, tmp_path)


def test_another_embedder_needs_the_old_pin_by_its_first_digits(tmp_path, notes):
    spec = CorpusSpec("notes", (FolderSource(tmp_path, "notes"),), reconcile=ReconcileRule())
    documents = collect_all(spec.sources).documents
    first = Corpora(tmp_path, {"hashing": WordEmbedder()}).plan(spec, documents, MONDAY)
    index = Corpora(tmp_path).index("notes")
    from ops_pipelines.llmops.corpus_index import take_snapshot

    old = take_snapshot(index, first, WordEmbedder())
    other = Corpora(tmp_path, {"hashing": WordEmbedder(seed=1)})
    with pytest.raises(EmbeddingPinMismatch) as caught:
        other.plan(spec, documents, MONDAY)
    assert f"`re_embed: {old.pin.digest[:12]}`" in str(caught.value)
    named = CorpusSpec("notes", spec.sources, re_embed=old.pin.digest[:12])
    assert other.plan(named, documents, MONDAY).starts_anew
    assert not Corpora(tmp_path, {"hashing": WordEmbedder()}).plan(named, documents, MONDAY).starts_anew
