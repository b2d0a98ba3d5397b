import re
import shutil
from pathlib import Path

import pytest
import yaml

from ops_pipelines.adapters.corpora import Corpora, spec_of
from ops_pipelines.adapters.corpus_sources import collect_all
from ops_pipelines.cli import VERBS
from ops_pipelines.llmops.corpus_index import take_snapshot

from .conftest import NOON

ROOT = Path(__file__).parents[2]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
DECLARED = {"name": "notes", "sources": [{"folder": "notes"}], "embedder": "hashing"}


class Notes:
    def __init__(self, root, home):
        self.root, self.corpora = root, Corpora(home.folder)
        self.declare()
        self.write(a="how to roll back a release", b="what a drift alarm means")

    def declare(self, **more):
        folder = self.root / "ops_pipelines/defs/llmops/notes"
        folder.mkdir(parents=True, exist_ok=True)
        declared = {"type": "ops_pipelines.components.Corpus", "attributes": DECLARED | more}
        (folder / "defs.yaml").write_text(yaml.safe_dump(declared))

    def write(self, **texts):
        (self.root / "notes").mkdir(exist_ok=True)
        for name, text in texts.items():
            (self.root / "notes" / f"{name}.md").write_text(text)

    def take(self):
        spec = spec_of(DECLARED, self.root)
        planned = self.corpora.plan(spec, collect_all(spec.sources).documents, NOON)
        return take_snapshot(self.corpora.index("notes"), planned, self.corpora.embedder(spec))


@pytest.fixture
def notes(tmp_path, monkeypatch, home):
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(ROOT / "pyproject.toml", root)
    monkeypatch.chdir(root)
    return Notes(root, home)


def test_a_corpus_without_a_snapshot_is_listed_as_such(ops, notes):
    (row,) = ops("corpus", "list", "--json").json()
    assert (row["corpus"], row["snapshot"]) == ("notes", "none yet")


def test_the_latest_snapshot_of_each_corpus_is_listed_and_all_of_one(ops, notes):
    notes.take()
    notes.write(c="a third one")
    last = notes.take()
    (row,) = ops("corpus", "list", "--json").json()
    # it was taken in 2013, and the wall clock tells the time
    assert (row["snapshot"], row["documents"], row["fresh"]) == (last.digest[:12], 3, "blocked")
    assert [one["documents"] for one in ops("corpus", "list", "notes", "--json").json()] == [2, 3]


def test_the_difference_is_to_what_the_sources_hold_or_between_two_snapshots(ops, notes):
    first = notes.take()
    assert ops("corpus", "diff", "notes", "--json").json() == []
    notes.write(a="another text", c="new")
    (notes.root / "notes" / "b.md").unlink()
    told = [(row["change"], row["document"]) for row in ops("corpus", "diff", "notes", "--json").json()]
    assert told == [("added", "notes/c.md"), ("changed", "notes/a.md"), ("removed", "notes/b.md")]
    second = notes.take()
    between = ops("corpus", "diff", "notes", first.digest[:12], second.digest[:12], "--json").json()
    assert [(row["change"], row["document"]) for row in between] == told


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_a_search_names_document_and_place(ops, notes, mode):
    notes.take()
    rows = ops("corpus", "search", "notes", "roll back", "--mode", mode, "--json").json()
    assert (rows[0]["document"], rows[0]["position"], rows[0]["rank"]) == ("notes/a.md", 0, 1)


def test_an_old_snapshot_can_still_be_searched_by_its_first_digits(ops, notes):
    first = notes.take()
    notes.write(a="nothing of the kind")
    notes.take()
    old = ops("corpus", "search", "notes", "roll back", "--snapshot", first.digest[:8], "--json").json()
    now = ops("corpus", "search", "notes", "roll back", "--mode", "lexical", "--json").json()
    assert old[0]["text"] == "how to roll back a release"
    assert now == []


def test_the_pin_is_shown_beside_the_declared_one_and_exits_one_where_they_differ(ops, notes):
    notes.take()
    assert ops("corpus", "pin", "notes", "--json").code == 0
    notes.declare(embedder="ops_pipelines.testing.embedders:WordEmbedder")
    said = ops("corpus", "pin", "notes", "--json")
    assert said.code == 1
    assert {row["part"]: row["same"] for row in said.json()}["probe_digest"] is False


def test_a_search_by_another_embedder_could_not_tell_and_says_why(ops, notes):
    notes.take()
    notes.declare(embedder="ops_pipelines.testing.embedders:WordEmbedder")
    said = ops("corpus", "search", "notes", "roll back")
    assert said.code == 3
    assert "Embedding pin mismatch for corpus 'notes'" in said.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("search", "note", "x"), 2, "Did you mean 'notes'"),
        (("search", "notes", "x"), 3, "no snapshot"),
        (("search", "notes", "x", "--mode", "hybird"), 2, "Did you mean 'hybrid'"),
        (("diff", "notes", "abc"), 3, "no snapshot abc"),
    ],
)
def test_what_is_not_there_is_named(ops, notes, words, code, told):
    said = ops("corpus", *words)
    assert (said.code, told in said.err) == (code, True), said.err


@pytest.mark.parametrize("file", RUNBOOKS, ids=lambda file: file.stem)
def test_a_runbook_names_verbs_that_there_are_and_says_when_it_was_reviewed(file):
    text = file.read_text()
    assert set(re.findall(r"`ops (\w+)", text)) <= VERBS.keys()
    assert re.search(r"^reviewed: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
