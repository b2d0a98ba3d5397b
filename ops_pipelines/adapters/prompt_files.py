"""Prompts as files of a project: `evals/prompts/<name>/prompt.yaml` now, and as git and the lake keep their past."""

from collections.abc import Mapping
from pathlib import Path

from ops_pipelines.adapters.lake import Lake
from ops_pipelines.adapters.project import Project
from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.prompt_text import Finding, PromptText, read_prompt_text

FILE = "prompt.yaml"
WORKING = "file"
"""What names the file as it lies there, beside ids and revisions."""
_LEAST_DIGITS = 6


def prompt_files(project: Project) -> dict[str, Path]:
    """The files of the project's prompts, by name."""
    return {file.parent.name: file for file in sorted((project.evals / "prompts").glob(f"*/{FILE}"))}


def prompt_path(project: Project, name: str) -> Path:
    """Where the file of a prompt lies, or would."""
    return project.evals / "prompts" / name / FILE


def prompt_file(project: Project, name: str) -> Path:
    """The file of one prompt; ConfigError with the nearest name where there is none."""
    known = prompt_files(project)
    if name not in known:
        raise ConfigError(
            f"There is no prompt {name!r}",
            expected=f"a file {project.evals.name}/prompts/{name}/{FILE}",
            action=near_miss(name, known) if known else f"Write it: `ops new prompt {name}`",
            prompt=name,
        )
    return known[name]


def read_prompt_file(file: Path, name: str | None = None) -> PromptText:
    """A file with all that is wrong with it, named after its folder; ConfigError where it cannot be opened."""
    called = name or file.parent.name
    try:
        return read_prompt_text(called, file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        return PromptText(called, "", None, (Finding("encoding", "these bytes are not UTF-8", line),))
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}",
            expected="a prompt in YAML",
            action="Check the path",
            file=str(file),
        ) from error


def sound_prompt(read: PromptText, where: str) -> Prompt:
    """The prompt of a file that could be read; ConfigError that names the place of the first mistake."""
    if read.prompt:
        return read.prompt
    first = read.findings[0]
    raise ConfigError(
        f"{where}:{first.line}: {first.message}",
        expected=f"a prompt in YAML ({len(read.findings)} finding(s))",
        action="Correct it; `ops prompt lint` lists all that is wrong",
        prompt=read.name,
    )


def recorded_prompts(lake: Lake, name: str) -> dict[str, Artefact]:
    """The records of the prompts of this name that were accepted, by id, the oldest first."""
    return {made.digest: made for made in lake.history(f"{name}/prompt")}


def last_prompt(project: Project, lake: Lake, name: str) -> Prompt | None:
    """The prompt as git has it at HEAD, else as it was recorded last; None where it is in neither, or was not sound there."""
    text = project.text_at("HEAD", prompt_file(project, name))
    if text is not None:
        return read_prompt_text(name, text).prompt
    made = lake.good(f"{name}/prompt")
    return Prompt.from_json(name, made.facts["prompt"]) if made else None


def earlier_prompt(project: Project, lake: Lake, name: str, reference: str | None) -> Prompt:
    """The prompt of a reference, or without one what went before the file: ConfigError where nothing did."""
    if reference is not None:
        return prompt_at(project, lake, name, reference)
    last = last_prompt(project, lake, name)
    if last is None:
        raise ConfigError(
            f"The prompt {name!r} has no earlier version",
            expected="one that was committed or materialized, and sound there",
            action="Commit it first, or name two versions",
            prompt=name,
        )
    return last


def prompt_at(project: Project, lake: Lake, name: str, reference: str) -> Prompt:
    """A prompt as `file`, as the first digits of an id that was recorded, or as a revision of git has it.

    ConfigError for a reference that is none of them, or that several ids begin with.
    """
    file = prompt_file(project, name)
    if reference == WORKING:
        return sound_prompt(read_prompt_file(file), str(file.relative_to(project.root)))
    recorded = recorded_prompts(lake, name)
    begins = [digest for digest in recorded if len(reference) >= _LEAST_DIGITS and digest.startswith(reference)]
    if len(begins) == 1:
        return Prompt.from_json(name, recorded[begins[0]].facts["prompt"])
    text = project.text_at(reference, file)
    if text is None or begins:
        raise _unknown(name, reference, recorded)
    return sound_prompt(read_prompt_text(name, text), f"{file.name} at {reference}")


def _unknown(name: str, reference: str, recorded: Mapping[str, Artefact]) -> ConfigError:
    return ConfigError(
        f"{reference!r} names no prompt {name!r}",
        expected=f"{WORKING!r}, {_LEAST_DIGITS} or more digits of one materialized id, or a revision of git that has it",
        action=near_miss(reference, recorded) if recorded else "Materialize it first, or commit it",
        prompt=name,
        reference=reference,
    )
