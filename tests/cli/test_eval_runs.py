"""`ops ask` and `ops eval run|compare|attribute|calibrate` over a small project with two releases."""

import json
from collections.abc import Iterator

import pytest
import yaml

from ops_pipelines.adapters.project import find_project

from ..components.answers_project import ANSWERS, PROMPT, Desk

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview
DECLARED = {"type": "ops_pipelines.components.Prompt", "attributes": {"name": "desk", "answers": ANSWERS}}
PROJECT = '[tool.ops]\n[tool.dg.project]\nroot_module = "team"\n'


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    for name in ("OPS_HOME", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    desk = Desk.at(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "team" / "defs" / "desk").mkdir(parents=True)
    (tmp_path / "team" / "defs" / "desk" / "defs.yaml").write_text(yaml.safe_dump(DECLARED))
    yield desk
    find_project.cache_clear()


@pytest.fixture
def releases(desk) -> tuple[str, str]:
    """Two releases: the second one answers in a word, and was let in by a gate that asks little."""
    desk.made()
    first = desk.live()
    desk.prompt(PROMPT.replace("in one sentence", "in at most 2 words"))
    assert desk.made(gate={"least": {"refusal": 0.1}, "compared": []}).success
    return first, desk.live()


def test_a_question_is_answered_with_its_passages_and_its_id(ops, desk):
    desk.made()
    said = ops("ask", "desk", "How is a release rolled back?")
    assert (said.code, "ops rollback" in said.out, "`ops why desk/asked/" in said.out) == (0, True, True)
    (answer,) = ops("ask", "desk", "How is a release rolled back?", "--json").json()
    assert ops("why", answer["id"]).code == 0


def test_a_system_of_which_nothing_is_live_is_wrong_usage_with_the_next_command(ops, desk):
    said = ops("ask", "desk", "Why?")
    assert (said.code, "ops promote desk" in said.err) == (2, True)


def test_what_is_live_is_asked_its_golden_set_again_only_where_that_is_wanted(ops, desk):
    desk.made()
    (said,) = ops("eval", "run", "desk", "--json").json()
    assert (said["asked"], said["cached"], said["verdict"]) == (0, 5, "passed")
    assert ops("eval", "run", "desk", "--again", "--json").json()[0]["asked"] == 5


def test_two_releases_are_compared_by_their_cases(ops, desk, releases):
    first, second = (release[:10] for release in releases)
    said = ops("eval", "compare", "desk", first, second, "--json")
    (found,) = said.json()
    assert (said.code, found["challenger"] < found["champion"], found["moved"] > 0) == (3, True, True)
    assert ops("eval", "compare", "desk", first, first).code == 0


def test_the_change_between_two_releases_is_divided_among_what_differs(ops, desk, releases):
    (found,) = ops("eval", "attribute", "desk", *releases, "--json").json()
    assert [share["source"] for share in found["shares"]] == ["prompt"]
    assert found["shares"][0]["difference"] == found["total"]["difference"] < 0


def test_a_judge_without_labels_cannot_be_trusted(ops, desk):
    desk.made()
    assert ops("eval", "calibrate", "--score", "says", "--json").code == 3


def test_a_prompt_that_is_no_system_is_told_what_it_lacks(ops, desk, tmp_path):
    plain = {**DECLARED, "attributes": {"name": "desk"}}
    (tmp_path / "team" / "defs" / "desk" / "defs.yaml").write_text(yaml.safe_dump(plain))
    said = ops("eval", "run", "desk", "--json")
    assert (said.code, "`answers`" in json.loads(said.out)["expected"]) == (2, True)
