import pytest

from ops_pipelines.adapters.project import Project
from ops_pipelines.adapters.task_files import read_task_file, task_file
from ops_pipelines.adapters.task_stage import stores_in
from ops_pipelines.core.errors import ConfigError, DataError

TASKS = "tasks: [{id: a, task: 1, expected: {calls: []}}]"


@pytest.fixture
def project(tmp_path):
    file = tmp_path / "evals" / "agents" / "oncall" / "tasks.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(TASKS)
    return Project(tmp_path, tmp_path, tmp_path, tmp_path / "evals", tmp_path / "lock")


def test_the_tasks_of_an_agent_lie_in_its_folder_unless_another_file_is_said(project):
    file = task_file(project, "oncall")
    assert [task.id for task in read_task_file(file).tasks] == ["a"]
    assert task_file(project, "another", "evals/agents/oncall/tasks.yaml") == file


def test_an_agent_without_tasks_is_told_where_they_would_be(project):
    with pytest.raises(ConfigError, match=r"evals/agents/oncal/tasks\.yaml"):
        task_file(project, "oncal")


def test_a_file_that_is_no_text_is_refused_by_its_name(tmp_path):
    file = tmp_path / "tasks.yaml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"tasks\.yaml cannot be read"):
        read_task_file(file)


def test_the_stores_of_one_run_hold_nothing_of_another(tmp_path):
    assert stores_in(tmp_path / "0").runs.path != stores_in(tmp_path / "1").runs.path
    with pytest.raises(FileExistsError):
        stores_in(tmp_path / "0")
