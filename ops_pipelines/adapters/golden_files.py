"""Golden sets as files of a project: `evals/golden/<name>/cases.jsonl`."""

from pathlib import Path

from ops_pipelines.adapters.project import Project
from ops_pipelines.core.errors import ConfigError, DataError, near_miss
from ops_pipelines.llmops.evals.golden_set import GoldenSet, read_golden_set

FILE = "cases.jsonl"


def golden_files(project: Project) -> dict[str, Path]:
    """The files of the project's golden sets, by name."""
    return {file.parent.name: file for file in sorted((project.evals / "golden").glob(f"*/{FILE}"))}


def golden_set(project: Project, name: str) -> GoldenSet:
    """A golden set of the project; ConfigError with the nearest name where there is none, DataError for a broken one."""
    known = golden_files(project)
    if name not in known:
        raise ConfigError(
            f"There is no golden set {name!r}",
            expected=f"a file {project.evals.name}/golden/{name}/{FILE}",
            action=near_miss(name, known),
            golden=name,
        )
    return read_golden_file(known[name], name)


def read_golden_file(file: Path, name: str | None = None) -> GoldenSet:
    """The golden set of a file, named after its folder; DataError where it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The golden set {file} cannot be read: {error}",
            expected="a file of lines of JSON in UTF-8",
            action="Bring it back, or save it as UTF-8",
            file=str(file),
        ) from error
    return read_golden_set(name or file.parent.name, text)
