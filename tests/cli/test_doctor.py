import pytest

from ops_pipelines.core.verdict import Blocked


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


def test_refused_partitions_and_leftovers_are_worth_a_look(ops, home):
    home.publish("landings", "2013-02-05", Blocked(("half of it",)), facts={"summary": {"rows": 1}})
    (home.folder / "lake" / "landings" / ".data.parquet.1.aside").touch()
    said = ops("doctor", "--json")
    assert (said.code, found(said, "lake")["state"]) == (0, "look")
    assert "ops data accept|exclude landings 2013-02-05" in found(said, "refused")["do"]


def test_a_table_is_printed_without_json(ops):
    assert ops("doctor").out.splitlines()[0] == "about\tstate\twhat\tdo"
