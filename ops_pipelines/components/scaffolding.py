"""What `dg scaffold defs ops_pipelines.components.<Component> NAME` and `ops new` write: a folder that loads, to fill in.

The folder may lie in any project's defs: import paths are made from where it lies and not from the name of this package,
and its weeks, rows, labels and features are those that the project declares already.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from ops_pipelines.adapters.declared import Declared, declared_in
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.prompt_files import prompt_path
from ops_pipelines.components.feature_text import feature_text
from ops_pipelines.components.model_over import in_one_line, model_over
from ops_pipelines.components.scaffold_agent import AGENT, AGENT_POLICY, AGENT_PROGRAM, AGENT_TASKS, AGENT_TOOLS
from ops_pipelines.components.scaffold_texts import (
    ALARMS,
    CORPUS,
    DATASET,
    FEATURE_SET,
    FIRST_DOCUMENT,
    HEALTH,
    LOADER,
    MODEL,
    PROMPT,
    PROMPT_FILE,
    RELEASE,
    TRAINING,
)
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.mlops.task import CLASSIFICATION, REGRESSION, task_named


def module_of(folder: Path, project_root: Path | None) -> str:
    """The import path of a folder in a project, whose packages lie in src/ or, where there is none, in its root.

    Without a root it is the nearest folder upwards that has a pyproject.toml. ConfigError for a folder outside.
    """
    folder = folder.resolve()
    root = project_root.resolve() if project_root else _root_around(folder)
    base = root / "src" if (root / "src").is_dir() else root
    if not folder.is_relative_to(base) or folder == base:
        raise ConfigError(
            f"{folder} cannot be imported",
            expected=f"a folder inside {base}",
            action="Check [tool.dg.project] defs_module in pyproject.toml",
        )
    return ".".join(folder.relative_to(base).parts)


def _root_around(folder: Path) -> Path:
    return next((above for above in folder.parents if (above / "pyproject.toml").is_file()), folder.parent)


class FeatureSetParams(BaseModel):
    """What a feature set may be written from."""

    of: str | None = Field(
        default=None, description="A dataset: its columns become a view and a service in feature_repo/"
    )


class ModelParams(BaseModel):
    """What a model may be written over; without any of the three, what the project's first model of its task is over."""

    task: str = Field(default=CLASSIFICATION.name, description=f"{CLASSIFICATION.name} or {REGRESSION.name}")
    rows: str | None = Field(default=None, description="The dataset whose rows are scored")
    labels: str | None = Field(default=None, description="The dataset of their outcomes")
    features: str | None = Field(default=None, description="The feature set")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: its folder, the name and import path that follow, and what the project declares."""

    folder: Path
    root: Path | None
    name: str
    module: str
    declared: Declared

    @classmethod
    def of(cls, request: dg.ScaffoldRequest[Any]) -> "Place":
        """The place that is asked for; ConfigError for a folder that Python could not import."""
        folder = Path(request.target_path)
        module = module_of(folder, request.project_root)
        package = folder.resolve().parents[module.count(".") - 1] if "." in module else folder.resolve()
        # `dg` takes a hyphen in a name, and an asset's key does not.
        return cls(folder, request.project_root, folder.name.replace("-", "_"), module, declared_in(package))

    def filled(self, text: str, **values: str) -> str:
        """A text with the names of the place, and others, filled in."""
        weekly = in_one_line(self.declared.weekly(), quoted=True)
        return dedent(text).format_map({"name": self.name, "module": self.module, "weekly": weekly, **values})


class OpsScaffolder(dg.Scaffolder[Any], ABC):
    """Writes defs.yaml, and code where the component needs some."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Everything is worked out before anything is written; ConfigError for a folder or a name that cannot be."""
        place = Place.of(request)
        params = self.get_scaffold_params().model_validate(request.params.model_dump())
        attributes, code = self.attributes(place, params), self.code(place, params)
        yaml = f"type: {request.type_name}\nattributes:\n{indent(attributes, '  ')}"
        for file, text in {place.folder / "defs.yaml": yaml, **code}.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    @abstractmethod
    def attributes(self, place: Place, params: Any) -> str:
        """The YAML under `attributes`."""

    def code(self, place: Place, params: Any) -> Mapping[Path, str]:  # noqa: ARG002
        """The Python that it names, by file."""
        return {}


class DatasetScaffolder(OpsScaffolder):
    """A dataset with a loader to fill in."""

    def attributes(self, place: Place, params: Any) -> str:  # noqa: ARG002
        """A key, the instant at which a row became known, and one value."""
        return place.filled(DATASET)

    def code(self, place: Place, params: Any) -> Mapping[Path, str]:  # noqa: ARG002
        """The loader."""
        return {place.folder / "__init__.py": "", place.folder / "loader.py": place.filled(LOADER)}


class FeatureSetScaffolder(OpsScaffolder):
    """A feature set over a feature service of feature_repo/; with `of`, its view and service, too."""

    @classmethod
    def get_scaffold_params(cls) -> type[BaseModel]:
        """The dataset that it may be written from."""
        return FeatureSetParams

    def attributes(self, place: Place, params: Any) -> str:
        """The service and its datasets: the one that is named, else those of the project's first feature set."""
        sets = place.declared.kinds.get("FeatureSet", {})
        like = sets[min(sets)] if sets and not params.of else {}
        datasets = [params.of] if params.of else like.get("datasets", place.declared.kinds.get("Dataset", {}))
        service = str(like.get("service", place.name))
        text = place.filled(FEATURE_SET, service=service, datasets=", ".join(sorted(datasets)))
        if not params.of:
            return text
        dataset = place.declared.named("Dataset", params.of)
        asked_at = "asked_at" if "asked_at" in dataset["columns"] else dataset.get("time_column")
        return text + place.filled(HEALTH, dataset=params.of, asked_at=asked_at)

    def code(self, place: Place, params: Any) -> Mapping[Path, str]:
        """The view and the service over one dataset, in a file of feature_repo/; ConfigError where it is there."""
        if not params.of:
            return {}
        file = find_project(place.root).feature_repo / f"{place.name}.py"
        if file.exists():
            raise ConfigError(
                f"{file} is there already",
                expected="a feature repo without it",
                action="Leave --of out, to use it as it is",
            )
        return {file: feature_text(place.name, place.declared.named("Dataset", params.of))}


class ModelScaffolder(OpsScaffolder):
    """A model with a training function to fill in, over rows, labels and features of the project."""

    @classmethod
    def get_scaffold_params(cls) -> type[BaseModel]:
        """Its task, rows, labels and features."""
        return ModelParams

    def attributes(self, place: Place, params: Any) -> str:
        """The training function, and what it is fitted on; the task where it is not the default."""
        task = task_named(params.task, thresholds=()).name
        text = MODEL if task == CLASSIFICATION.name else MODEL.replace("flavour:", f"task: {task}\n    flavour:")
        return place.filled(text, **model_over(place.name, place.declared, **params.model_dump()))

    def code(self, place: Place, params: Any) -> Mapping[Path, str]:
        """The training function."""
        objective, label = {
            CLASSIFICATION.name: ("binary", "0 or 1"),
            REGRESSION.name: ("regression_l1", "how much it was"),
        }[params.task]
        text = place.filled(TRAINING, objective=objective, label=label)
        return {place.folder / "__init__.py": "", place.folder / "training.py": text}


class AlarmsScaffolder(OpsScaffolder):
    """An inbox over the project's models."""

    def attributes(self, place: Place, params: Any) -> str:  # noqa: ARG002
        """Every model that is declared."""
        models = sorted(place.declared.kinds.get("Model", {})) or ["my_model"]
        return place.filled(ALARMS, systems=", ".join(models))


class PromptScaffolder(OpsScaffolder):
    """A prompt in evals/prompts/, to fill in."""

    def attributes(self, place: Place, params: Any) -> str:  # noqa: ARG002
        """Where the prompt is written."""
        project = find_project(place.root)
        return place.filled(PROMPT, path=prompt_path(project, place.name).relative_to(project.root).as_posix())

    def code(self, place: Place, params: Any) -> Mapping[Path, str]:  # noqa: ARG002
        """The prompt; nothing where it is there already."""
        file = prompt_path(find_project(place.root), place.name)
        return {} if file.exists() else {file: place.filled(PROMPT_FILE)}


class CorpusScaffolder(OpsScaffolder):
    """A corpus over a folder of documents in evals/corpora/, with a first one."""

    def attributes(self, place: Place, params: Any) -> str:  # noqa: ARG002
        """The folder, the default embedder, and how old a snapshot may be."""
        return place.filled(CORPUS, documents=self._documents(place).as_posix())

    def code(self, place: Place, params: Any) -> Mapping[Path, str]:  # noqa: ARG002
        """A document to fill in, where the folder has none yet."""
        folder = find_project(place.root).root / self._documents(place)
        return {} if folder.is_dir() else {folder / "first.md": place.filled(FIRST_DOCUMENT)}

    def _documents(self, place: Place) -> Path:
        """The folder of its documents, from the project's root."""
        project = find_project(place.root)
        return project.evals.relative_to(project.root) / "corpora" / place.name


class AgentScaffolder(OpsScaffolder):
    """An agent with a plan and tools to fill in, its policy and its tasks in evals/agents/."""

    def attributes(self, place: Place, params: Any) -> str:  # noqa: ARG002
        """Its program and its toolset, with everything else at its default."""
        return place.filled(AGENT)

    def code(self, place: Place, params: Any) -> Mapping[Path, str]:  # noqa: ARG002
        """The program and the tools; the policy and the tasks where they are not there yet."""
        data = find_project(place.root).agent_folder(place.name)
        parts = {data / "policy" / f"{place.name}.cedar": AGENT_POLICY, data / "tasks.yaml": AGENT_TASKS}
        return {
            place.folder / "__init__.py": "",
            place.folder / "program.py": place.filled(AGENT_PROGRAM),
            place.folder / "tools.py": place.filled(AGENT_TOOLS),
            **{file: place.filled(text) for file, text in parts.items() if not file.exists()},
        }


class ReleaseScaffolder(OpsScaffolder):
    """A composite of the project's models."""

    def attributes(self, place: Place, params: Any) -> str:  # noqa: ARG002
        """Every model that is declared, as it is live when the composite is composed."""
        models = sorted(place.declared.kinds.get("Model", {})) or ["my_model"]
        return place.filled(RELEASE, uses=", ".join(f"{model}: live" for model in models))
