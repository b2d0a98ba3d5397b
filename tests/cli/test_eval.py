import json

import pytest

from ops_pipelines.cli.eval_progress import progress
from ops_pipelines.llmops.evals.log import Evaluation
from ops_pipelines.llmops.evals.result import EvalRun, Scored
from ops_pipelines.testing.evaluation_log import evaluation_of

MADE = evaluation_of("It is so.", "It is not.")


@pytest.fixture
def evaluated(home):
    home.folder.mkdir()
    home.platform.evals.keep(MADE)
    return home


@pytest.fixture
def filled(evaluated, ops, tmp_path):
    """A sheet that came back with a label on each line."""
    file = tmp_path / "labels.jsonl"
    lines = [json.loads(line) for line in ops("eval", "label", "out").out.splitlines()]
    file.write_text("".join(f"{json.dumps({**line, 'label': 1, 'by': 'ada'})}\n" for line in lines))
    return file


def test_evaluations_are_listed_and_shown_by_the_first_digits_of_their_id(ops, evaluated):
    (listed,) = ops("eval", "list", "--json").json()
    assert (listed["id"], listed["cases"], listed["errors"]) == (MADE.id, 2, 0)
    shown = ops("eval", "show", MADE.id[:8], "--json").json()[0]
    assert {row["score"]: (row["mean"], row["not evaluated"]) for row in shown["scores"]} == {
        "says": (1.0, 0),
        "judge": (None, 2),
    }


def test_a_system_names_its_latest_evaluation(ops, evaluated):
    assert ops("eval", "show", MADE.system, "--json").json()[0]["id"] == MADE.id
    assert "or a system that was evaluated" in ops("eval", "show", "nobody").err


def test_an_agents_scores_have_intervals_that_a_few_good_tasks_leave_wide(ops, home):
    scored = tuple(Scored(name, name, "task", 0, {"success": 1.0}, {}, None) for name in ("a", "b", "c"))
    run = EvalRun("release", "tasks", scored, 3, 0, scorers={"success": "1"})
    home.folder.mkdir()
    home.platform.evals.keep(Evaluation("oncall", "oncall", MADE.at, run, {}))
    (row,) = ops("eval", "show", "--json").json()[0]["scores"]
    assert (row["mean"], row["tasks"], row["high"]) == (1.0, 3, 1.0)
    assert row["low"] < 0.5


def test_shown_to_people_a_mean_stands_with_what_could_not_be_told(ops, evaluated):
    said = ops("eval", "show")
    assert said.out.splitlines()[-2:] == ["says\t1.000\t\t\t2\t1\t0\t0", "judge\t\t\t\t0\t0\t2\t0"]


def test_without_an_evaluation_there_is_nothing_and_no_file(ops, home):
    said = ops("eval", "list")
    assert (said.out, f"no home at {home.folder}" in said.err) == ("evaluations: nothing yet\n", True)
    assert ops("eval", "show").code == 2
    assert not home.folder.exists()


def test_answers_go_out_to_a_file_without_a_score(ops, evaluated, tmp_path):
    told = ops("eval", "label", "out", "--to", str(tmp_path / "out.jsonl"), "--sample", "1", "--json").json()
    assert (told[0]["answers"], told[0]["evaluation"]) == (1, MADE.id)
    assert '"scores"' not in (tmp_path / "out.jsonl").read_text()


def test_labels_come_in_once_and_show_with_their_evaluation(ops, evaluated, filled):
    first, again = ops("eval", "label", "in", str(filled), "--json"), ops("eval", "label", "in", str(filled), "--json")
    assert [(row["labels"], row["new"], row["stale"]) for row in first.json()] == [(2, 2, "")]
    assert [row["new"] for row in again.json()] == [0]
    assert len(ops("eval", "show", "--json").json()[0]["labels"]) == 2


def test_a_dry_run_keeps_no_label(ops, evaluated, filled):
    assert ops("eval", "label", "in", str(filled), "--dry-run", "--json").json()[0]["new"] == 2
    assert evaluated.platform.evals.labels() == ()


def test_a_label_of_another_evaluation_is_told(ops, evaluated, filled):
    filled.write_text(filled.read_text().replace(MADE.id, "f" * 64))
    assert "no evaluation ffffffffffff is kept here" in ops("eval", "label", "in", str(filled)).out


def test_one_mistake_keeps_nothing_and_names_its_line(ops, evaluated, filled):
    filled.write_text(filled.read_text().replace('"label": 1', '"label": 9', 1))
    said = ops("eval", "label", "in", str(filled))
    assert said.code == 3
    assert "line 1: 'label' is 9" in said.err
    assert evaluated.platform.evals.labels() == ()


def test_a_file_that_is_not_there_is_wrong_usage(ops, evaluated):
    assert ops("eval", "label", "in", "nowhere.jsonl").code == 2


def test_who_labelled_is_the_principal_of_the_token_where_no_line_names_anybody(ops, evaluated, filled, monkeypatch):
    monkeypatch.setenv("OPS_TOKEN", ops("principal", "add", "grace", "--role", "admin", "--json").json()[0]["token"])
    filled.write_text(filled.read_text().replace('"by": "ada"', '"by": ""'))
    assert ops("eval", "label", "in", str(filled)).code == 0
    assert {label.by for label in evaluated.platform.evals.labels()} == {"grace"}


def test_progress_is_silent_where_there_is_no_terminal(capsys):
    with progress("evaluating") as told:
        told(1, 2)
    assert capsys.readouterr() == ("", "")
