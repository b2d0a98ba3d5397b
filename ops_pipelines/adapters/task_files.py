"""The tasks of agents as files of a project: `evals/agents/<name>/tasks.yaml`."""

from pathlib import Path

from ops_pipelines.adapters.project import Project
from ops_pipelines.agentops.evaluation.task import TaskSet
from ops_pipelines.agentops.evaluation.task_file import read_tasks
from ops_pipelines.core.errors import ConfigError, DataError

FILE = "tasks.yaml"


def task_file(project: Project, agent: str, said: str | None = None) -> Path:
    """The file of an agent's tasks: the one that is said, from the project's root; ConfigError where it is not there."""
    file = project.root / said if said else project.agent_folder(agent) / FILE
    if not file.is_file():
        raise ConfigError(
            f"There are no tasks of the agent {agent!r}",
            expected=f"a file {file}",
            action="Write what it has to be good at; `ops new agent` shows the form",
            agent=agent,
        )
    return file


def read_task_file(file: Path, agent: str | None = None) -> TaskSet:
    """The tasks of a file, for the agent that its folder is named after; DataError where it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The tasks {file} cannot be read: {error}",
            expected="a file of YAML in UTF-8",
            action="Bring it back, or save it as UTF-8",
            file=str(file),
        ) from error
    return read_tasks(agent or file.parent.name, text)
