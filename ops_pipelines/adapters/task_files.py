"""The tasks of agents as files of a project: `evals/agents/<name>/tasks.yaml`."""

from pathlib import Path

from ops_pipelines.adapters.project import Project
from ops_pipelines.agentops.evaluation.task import TaskSet
from ops_pipelines.agentops.evaluation.task_file import read_tasks
from ops_pipelines.core.errors import ConfigError, DataError, near_miss

FILE = "tasks.yaml"


def task_files(project: Project) -> dict[str, Path]:
    """The files of tasks of the project, by the agent's name."""
    return {file.parent.name: file for file in sorted((project.evals / "agents").glob(f"*/{FILE}"))}


def tasks_of(project: Project, agent: str) -> TaskSet:
    """The tasks of an agent; ConfigError with the nearest name where there are none, DataError for a broken file."""
    known = task_files(project)
    if agent not in known:
        raise ConfigError(
            f"There are no tasks of the agent {agent!r}",
            expected=f"a file {project.evals.name}/agents/{agent}/{FILE}",
            action=near_miss(agent, known),
            agent=agent,
        )
    return read_task_file(known[agent], agent)


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
