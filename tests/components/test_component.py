import pytest

from .conftest import write_project

WRONG = """\
type: ops_pipelines.components.Dataset
attributes:
  name: bags
  loader: late_bags.loader:load
  key: id
  columns: {id: string}
  descripton: bags that came late
  zzz: {a: 1}
  weekly: {start: "2013-01-01", ende: "2013-12-31"}
  row_ratio: {much: 1}
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory, run):
    """What Dagster answers to a dataset with four mistakes."""
    root = tmp_path_factory.mktemp("team")
    folder = write_project(root, root) / "bags"
    folder.mkdir()
    (folder / "defs.yaml").write_text(WRONG)
    done = run("python", "-c", "import late_bags.definitions", cwd=root)
    assert done.returncode == 1
    return done.stderr


def test_a_misspelt_key_is_answered_with_its_file_its_line_and_the_nearest_key(answer):
    assert "Unknown key 'descripton'. Did you mean 'description'?" in answer
    assert "bags/defs.yaml:7" in answer


def test_a_key_like_no_other_is_answered_with_the_known_ones(answer):
    known = answer.split("Unknown key 'zzz'. Known: ")[1].splitlines()[0]
    assert all(key in known for key in ("name", "loader", "null_growth", "weekly"))


def test_a_misspelt_key_of_a_nested_part_is_answered_with_the_keys_of_that_part(answer):
    assert "Unknown key 'ende'. Did you mean 'end'?" in answer
    assert "bags/defs.yaml:9" in answer


def test_a_value_of_the_wrong_kind_keeps_its_own_message(answer):
    assert "Input should be a valid number" in answer
