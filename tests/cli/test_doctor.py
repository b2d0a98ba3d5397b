import pytest

from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.embedders import HashingEmbedder
from ops_pipelines.core.composite import compose
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.testing.corpus_index import snapshot_of
from ops_pipelines.testing.embedders import WordEmbedder
from ops_pipelines.testing.provider import provider_running
from ops_pipelines.testing.provider_script import ProviderScript
from ops_pipelines.testing.release_store import evidence_against


def found(said, about):
    return next(row for row in said.json() if row["about"] == about)


def test_a_home_that_does_not_exist_is_fine_and_is_not_made(ops, home):
    said = ops("doctor", "--json")
    assert (said.code, {row["state"] for row in said.json()}) == (0, {"good", "look"})
    assert not home.folder.exists()


def test_a_live_release_is_verified_part_by_part(ops, home):
    first = home.release("first")
    assert found(ops("doctor", "--json"), "flight_delay")["what"] == "nothing is live"
    ops("promote", "flight_delay", first)
    assert found(ops("doctor", "--json"), "flight_delay")["what"] == f"{first[:12]} is live, all its parts verified"


def test_a_tampered_model_is_bad(ops, home):
    ops("promote", "flight_delay", home.release("first"))
    (model,) = home.platform.objects.root.glob("*/*")
    model.write_bytes(b"another model")
    said = ops("doctor", "--json")
    assert said.code == 1
    assert "was changed" in found(said, "releases")["what"]


def forced_desk(home, ops) -> str:
    """A composite that uses a model of which it is all made, live without its gate; its digest."""
    desk = compose("desk", {}, uses={"flight_delay": home.release("first")})
    home.platform.releases.save(desk, evidence_against(None, verdict=Blocked(("worse",))))
    assert ops("promote", "desk", desk.digest, "--force", "--reason", "the gate is down").code == 0
    return desk.digest


def test_a_composite_that_was_forced_is_as_red_as_a_model(ops, home):
    digest = forced_desk(home, ops)
    about_it = [row["what"] for row in ops("doctor", "--json").json() if row["about"] == "desk"]
    assert about_it[0] == f"{digest[:12]} is live, all its parts verified"
    assert about_it[1].startswith("forced by ")


def test_a_model_that_only_a_composite_uses_is_verified_with_it(ops, home):
    forced_desk(home, ops)
    (model,) = home.platform.objects.root.glob("*/*")
    model.write_bytes(b"another model")
    assert "was changed" in found(ops("doctor", "--json"), "releases")["what"]


def test_what_cannot_be_looked_at_is_bad_and_the_rest_is_looked_at(ops, home):
    (home.folder / "lake" / "flight_delay" / "checkpoint").mkdir(parents=True)
    (home.folder / "control.db").write_text("no database")
    said = ops("doctor", "--json")
    assert said.code == 1
    assert found(said, "releases")["state"] == "bad"
    assert found(said, "runs")["state"] == "good"


@pytest.mark.parametrize(
    ("lock", "what"),
    [
        ("pytest==0.1 \\\n", "1 differ from the lock: pytest"),
        ("a-package-that-nobody-wrote==1\n", "1 differ from the lock: a-package-that-nobody-wrote missing"),
        ("pytest=>1\n", "cannot be read"),
        (None, "no lock file"),
    ],
)
def test_a_lock_that_does_not_hold_is_bad(ops, tmp_path, monkeypatch, lock, what):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    if lock:
        (tmp_path / "requirements.lock").write_text(lock)
    monkeypatch.chdir(tmp_path)
    said = ops("doctor", "--json")
    assert said.code == 1
    assert what in found(said, "packages")["what"]


@pytest.fixture
def project(ops, tmp_path, monkeypatch, request):
    """A new project of one dataset; its package has a name of its own, since the next test imports another one."""
    name = f"bags_{abs(hash(request.node.name))}"
    monkeypatch.chdir(tmp_path)
    ops("new", "project", name)
    monkeypatch.chdir(tmp_path / name)
    ops("new", "dataset", "bags")
    return tmp_path / name / name / "defs" / "bags" / "defs.yaml"


@pytest.mark.parametrize(
    ("right", "wrong", "what"),
    [
        ("  loader:", "  loadr:", "Did you mean 'loader'?"),
        ("loader:load", "lodr:load", "cannot be found"),
        ("key: id", "key: idd", "Did you mean 'id'?"),
        ("key: id", "key: {", "defs.yaml"),
    ],
)
def test_a_declaration_that_does_not_load_is_bad_and_says_why_in_a_sentence(ops, project, right, wrong, what):
    project.write_text(project.read_text().replace(right, wrong))
    finding = found(ops("doctor", "--json"), "definitions")
    assert finding["state"] == "bad"
    assert what in f"{finding['what']} {finding['do']}"
    assert "(loaded)" not in finding["what"]
    said = ops("materialize", "bags", "--partition", "2025-01-06")
    assert said.code == 2
    assert what in said.err


def test_an_asset_that_is_read_and_that_nobody_declares_is_worth_a_look(ops, project):
    ops("new", "model", "lost_bag", "--rows", "bags")
    rows = [row for row in ops("doctor", "--json").json() if row["about"] == "definitions"]
    assert {row["state"] for row in rows[1:]} == {"look"}
    assert [row["what"].split()[0] for row in rows[1:]] == ["lost_bag_features/online", "outcomes"]
    assert "lost_bag/training_set" in rows[1]["do"]


def test_refused_partitions_and_leftovers_are_worth_a_look(ops, home):
    home.publish("landings", "2013-02-05", Blocked(("half of it",)), facts={"summary": {"rows": 1}})
    (home.folder / "lake" / "landings" / ".data.parquet.1.aside").touch()
    said = ops("doctor", "--json")
    assert (said.code, found(said, "lake")["state"]) == (0, "look")
    assert "ops data accept|exclude landings 2013-02-05" in found(said, "refused")["do"]


def test_a_file_of_answers_that_was_set_aside_is_named(ops, home):
    (home.folder / "log" / "spool").mkdir(parents=True)
    (home.folder / "log" / "spool" / "000-1-ab.damaged").touch()
    row = found(ops("doctor", "--json"), "prediction log")
    assert row["state"] == "look"
    assert "log/spool/000-1-ab.damaged" in row["what"]


def test_a_table_is_printed_without_json(ops):
    assert ops("doctor").out.splitlines()[0] == "about\tstate\twhat\tdo"


@pytest.fixture
def offline(monkeypatch):
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)


def configure(monkeypatch, **settings):
    for name, value in settings.items():
        monkeypatch.setenv(f"OPENAI_{name}", value)


def test_without_a_provider_it_is_the_offline_reader_that_answers(ops, offline):
    assert found(ops("doctor", "--json"), "provider")["what"] == "extractive/extractive-1 answers offline"
    assert "extractive/extractive-1 answered in" in found(ops("doctor", "--ask", "--json"), "provider")["what"]


def test_a_configured_provider_is_named_with_its_address_and_never_with_a_key(ops, offline, monkeypatch):
    address = "http://ann:hidden@127.0.0.1:9/v1?token=hidden"
    configure(monkeypatch, BASE_URL=address, API_KEY="sk-hidden", MODEL="desk-1")
    said = ops("doctor", "--json")
    assert found(said, "provider")["what"].startswith("openai/desk-1 at http://127.0.0.1:9/v1; ")
    assert "hidden" not in said.out + said.err


def test_a_provider_without_a_model_is_bad(ops, offline, monkeypatch):
    configure(monkeypatch, BASE_URL="http://127.0.0.1:9/v1")
    said = ops("doctor", "--json")
    assert (said.code, found(said, "provider")["state"]) == (1, "bad")
    assert "OPENAI_MODEL" in found(said, "provider")["do"]


def test_a_provider_that_is_asked_and_does_not_answer_is_bad(ops, offline, monkeypatch):
    configure(monkeypatch, BASE_URL="http://127.0.0.1:9/v1", API_KEY="sk-hidden", MODEL="desk-1")
    said = ops("doctor", "--ask", "--json")
    assert (said.code, found(said, "provider")["state"]) == (1, "bad")
    assert "sk-hidden" not in said.out + said.err


def test_a_provider_that_is_asked_and_answers_is_good(ops, offline, monkeypatch):
    with provider_running() as running:
        running.begin(ProviderScript())
        configure(monkeypatch, BASE_URL=running.base_url, API_KEY="any", MODEL="desk-1")
        assert "openai/desk-1 answered in" in found(ops("doctor", "--ask", "--json"), "provider")["what"]
        assert running.count() == 1


def test_a_corpus_without_a_snapshot_and_a_prompt_without_a_release_are_worth_a_look(ops, home):
    said = ops("doctor", "--json")
    assert "runbooks/snapshot" in found(said, "runbooks")["do"]
    assert found(said, "runbook_answers")["state"] == "look"


def test_a_snapshot_of_the_declared_embedder_is_good_and_one_of_another_is_bad(ops, home):
    (home.folder / "corpora").mkdir(parents=True)
    index = Corpora(home.folder).index("runbooks")
    snapshot_of(index, {"a": "one"}, embedder=HashingEmbedder())
    assert found(ops("doctor", "--json"), "runbooks")["what"].startswith("1 documents at ")
    snapshot_of(index, {"a": "one"}, embedder=WordEmbedder(), re_embed=True)
    said = ops("doctor", "--json")
    assert (said.code, found(said, "runbooks")["state"]) == (1, "bad")
    assert "re-snapshot" in found(said, "runbooks")["do"]
