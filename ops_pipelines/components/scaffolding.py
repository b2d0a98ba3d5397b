"""What `dg scaffold defs ops_pipelines.components.<Component> NAME` and `ops new` write: a folder that loads, to fill in.

The folder may lie in any project's defs: import paths are made from where it lies and not from the name of this package,
and its weeks, rows, labels and features are those that the project declares already.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import dagster as dg
from dagster.components.scaffold.scaffold import NoParams
from pydantic import BaseModel, Field

from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.declared import Declared, declared_in
from ops_pipelines.components.feature_text import feature_text
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


def _package_around(folder: Path, module: str) -> Path:
    """The folder of the top-level package that a module's folder lies in."""
    return folder.resolve().parents[module.count(".") - 1] if "." in module else folder.resolve()


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


class OpsScaffolder(dg.Scaffolder[Any]):
    """Writes defs.yaml, and code beside it where the component needs some."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Everything is worked out before anything is written; ConfigError for a folder or a parameter that cannot be."""
        folder = Path(request.target_path)
        module = module_of(folder, request.project_root)
        # `dg` takes a hyphen in a name, and an asset's key does not.
        names = {"name": folder.name.replace("-", "_"), "module": module}
        declared = declared_in(_package_around(folder, module))
        values = names | {"weekly": _flow(declared.weekly())} | self.values(names["name"], declared, request.params)
        yaml = f"type: {request.type_name}\nattributes:\n{indent(_filled(self.yaml(values), values), '  ')}"
        code = {file: _filled(text, values) for file, text in self.code(values).items()}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "defs.yaml").write_text(yaml)
        for file, written in ({"__init__.py": ""} | code if code else {}).items():
            (folder / file).write_text(written)
        self.beside(request, values, declared)

    def values(self, name: str, declared: Declared, params: Any) -> dict[str, str]:  # noqa: ARG002
        """What the texts name beside `name`, `module` and `weekly`."""
        return {}

    def yaml(self, values: Mapping[str, str]) -> str:
        """The attributes."""
        raise NotImplementedError

    def code(self, values: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        """The files of the folder beside defs.yaml."""
        return {}

    def beside(self, request: dg.ScaffoldRequest[Any], values: Mapping[str, str], declared: Declared) -> None:
        """What is written outside the folder."""


class DatasetScaffolder(OpsScaffolder):
    """A dataset with a loader to fill in."""

    def yaml(self, values: Mapping[str, str]) -> str:  # noqa: ARG002
        """A key, the instant at which a row became known, and one value."""
        return DATASET_YAML

    def code(self, values: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        """The loader."""
        return {"loader.py": LOADER}


class FeatureSetScaffolder(OpsScaffolder):
    """A feature set over a feature service of feature_repo/; with `of`, its view and service, too."""

    @classmethod
    def get_scaffold_params(cls) -> type[BaseModel]:
        """The dataset that it may be written from."""
        return FeatureSetParams

    def values(self, name: str, declared: Declared, params: Any) -> dict[str, str]:
        """The service, and the datasets that its views read."""
        if of := getattr(params, "of", None):
            declared.named("Dataset", of)
            return {"service": name, "datasets": of, "of": of}
        like = next((found for _, found in sorted(declared.kinds.get("FeatureSet", {}).items())), {})
        datasets = like.get("datasets", sorted(declared.kinds.get("Dataset", {})))
        return {"service": str(like.get("service", name)), "datasets": ", ".join(datasets), "of": ""}

    def yaml(self, values: Mapping[str, str]) -> str:  # noqa: ARG002
        """The service's name and the datasets."""
        return FEATURE_SET_YAML

    def beside(self, request: dg.ScaffoldRequest[Any], values: Mapping[str, str], declared: Declared) -> None:
        """The view and the service over one dataset, in a file of feature_repo/; one that is there is left alone."""
        if not values["of"]:
            return
        file = find_project(request.project_root).feature_repo / f"{values['name']}.py"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(feature_text(values["name"], declared.named("Dataset", values["of"])))


class ModelScaffolder(OpsScaffolder):
    """A model with a training function to fill in, over rows, labels and features of the project."""

    @classmethod
    def get_scaffold_params(cls) -> type[BaseModel]:
        """Its task, rows, labels and features."""
        return ModelParams

    def values(self, name: str, declared: Declared, params: Any) -> dict[str, str]:
        """Those that are named, else those of a model of the same task, else names to be replaced."""
        task = task_named(getattr(params, "task", CLASSIFICATION.name), thresholds=()).name
        objective = {CLASSIFICATION.name: "binary", REGRESSION.name: "regression_l1"}[task]
        label = {CLASSIFICATION.name: "0 or 1", REGRESSION.name: "how much it was"}[task]
        given = (
            {"rows": None, "labels": None, "features": None} if isinstance(params, NoParams) else params.model_dump()
        )
        wanted = [given[part] for part in ("rows", "labels", "features")]
        like = None if any(wanted) else declared.model_like(task)
        over = (
            {part: _like(like[part]) for part in ("entities", "labels", "features")}
            if like
            else {
                "entities": _entities(declared, given["rows"]),
                "labels": _labels(declared, given["labels"], task),
                "features": _features(declared, given["features"], name),
            }
        )
        return {**over, "task": task, "objective": objective, "label": label}

    def yaml(self, values: Mapping[str, str]) -> str:
        """The training function, and what it is fitted on; the task where it is not the default."""
        return (
            MODEL_YAML.replace("flavour:", "task: {task}\nflavour:")
            if values["task"] != CLASSIFICATION.name
            else MODEL_YAML
        )

    def code(self, values: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        """The training function."""
        return {"training.py": TRAINING}


class AlarmsScaffolder(OpsScaffolder):
    """An inbox over the project's models."""

    def values(self, name: str, declared: Declared, params: Any) -> dict[str, str]:  # noqa: ARG002
        """Every model that is declared."""
        return {"systems": ", ".join(sorted(declared.kinds.get("Model", {}))) or "my_model"}

    def yaml(self, values: Mapping[str, str]) -> str:  # noqa: ARG002
        """The systems."""
        return ALARMS_YAML


def _filled(text: str, values: Mapping[str, str]) -> str:
    return dedent(text).format_map(values)


def _flow(attributes: Mapping[str, Any]) -> str:
    """A mapping as YAML on one line; text that could be read as something else is quoted."""
    return f"{{{', '.join(f'{key}: {json.dumps(str(value))}' for key, value in attributes.items())}}}"


def _plain(attributes: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in attributes.items())}}}"


def _like(part: Any) -> str:
    return _plain(part) if isinstance(part, Mapping) else str(part)


def _entities(declared: Declared, rows: str | None) -> str:
    """The rows to score: a dataset's key, and the column that says when each is asked about."""
    if rows is None:
        return (
            "{dataset: rows, key: id, asked_at: known_at} # what is scored: a dataset, its key, when it is asked about"
        )
    found = declared.named("Dataset", rows)
    asked_at = "asked_at" if "asked_at" in found["columns"] else found.get("time_column", "asked_at")
    return _plain({"dataset": rows, "key": _one(found["key"], rows), "asked_at": asked_at})


def _labels(declared: Declared, labels: str | None, task: str) -> str:
    """The outcomes: the first column that can be one, and when it was known."""
    if labels is None:
        return "{dataset: outcomes, column: value, known_at: known_at} # what came of it: a dataset with the same key"
    found = declared.named("Dataset", labels)
    types = ("bool",) if task == CLASSIFICATION.name else ("float", "int")
    fits = [name for name, text in found["columns"].items() if str(text).startswith(types)]
    known_at = found.get("time_column", "known_at")
    return _plain({"dataset": labels, "column": fits[0] if fits else "value", "known_at": known_at})


def _features(declared: Declared, features: str | None, name: str) -> str:
    if features is None:
        return f"{name}_features # a feature set"
    return str(declared.named("FeatureSet", features)["name"])


def _one(key: Any, dataset: str) -> str:
    """A key of one column: a prediction is named by it."""
    names = [key] if isinstance(key, str) else list(key)
    if len(names) > 1:
        raise ConfigError(
            f"The dataset {dataset!r} has the key {names}",
            expected="rows to score that one column names",
            action="Add such a column to the dataset, and make it the key",
        )
    return str(names[0])


DATASET_YAML = """\
    name: {name}
    loader: {module}.loader:load
    weekly: {weekly} # the first day of the first week; all datasets of a location share it
    key: id
    time_column: known_at # a row belongs to the week in which it became known
    columns: # string, int, float, bool or timestamp; ? where it may be missing; a range for numbers
      id: string
      known_at: timestamp
      value: float? 0..100
"""
LOADER = '''\
    """Where the rows of {name} come from."""

    from datetime import datetime

    import pandas as pd


    def load(start: datetime, end: datetime) -> pd.DataFrame:
        """The rows that became known from `start` (included) to `end` (excluded)."""
        return pd.DataFrame({{"id": [f"{{start:%Y-%m-%d}}-1"], "known_at": [start], "value": [1.0]}})
    '''
FEATURE_SET_YAML = """\
    name: {name}
    service: {service} # a FeatureService of feature_repo/
    weekly: {weekly}
    datasets: [{datasets}] # what the service's views read
"""
MODEL_YAML = """\
    name: {name}
    train: {module}.training:train
    flavour: lightgbm # or your own: your_package.flavours:YourFlavour
    weekly: {weekly}
    entities: {entities}
    labels: {labels}
    features: {features}
"""
TRAINING = '''\
    """How {name} is fitted."""

    from collections.abc import Mapping
    from typing import Any

    from ops_pipelines.mlops.training import Rows


    def train(rows: Rows, params: Mapping[str, Any], seed: int) -> Any:
        """A model fitted on `rows.features` (one column a feature) and `rows.labels` ({label})."""
        import lightgbm

        fixed = {{"objective": "{objective}", "deterministic": True, "force_row_wise": True, "num_threads": 1}}
        features = rows.features.select_dtypes(["number", "bool"])
        settings = fixed | {{"verbose": -1, "seed": seed}} | dict(params)
        return lightgbm.train(settings, lightgbm.Dataset(features, rows.labels), num_boost_round=50)
    '''
ALARMS_YAML = """\
    name: {name}
    systems: [{systems}] # models whose performance and drift are watched
    weekly: {weekly}
"""
