"""What a scaffolded model is over: its rows, labels and features as YAML on one line each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ops_pipelines.adapters.declared import Attributes, Declared
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.mlops.task import CLASSIFICATION


def model_over(
    name: str, declared: Declared, *, task: str, rows: str | None, labels: str | None, features: str | None
) -> dict[str, str]:
    """`entities`, `labels` and `features`: those that are named; where none is, those of a model of the same task.

    Without such a model they are names to be replaced. ConfigError for a name that the project does not declare.
    """
    like = None if rows or labels or features else declared.model_like(task)
    if like:
        return {part: _like(like[part]) for part in ("entities", "labels", "features")}
    return {
        "entities": _entities(declared, rows),
        "labels": _labels(declared, labels, task),
        "features": str(declared.named("FeatureSet", features)["name"])
        if features
        else f"{name}_features # a feature set",
    }


def in_one_line(attributes: Mapping[str, Any], *, quoted: bool = False) -> str:
    """A mapping as YAML on one line; quoted where text could be read as something else, as a day could."""
    written = (f"{key}: {json.dumps(str(value)) if quoted else value}" for key, value in attributes.items())
    return f"{{{', '.join(written)}}}"


def _like(part: Any) -> str:
    return in_one_line(part) if isinstance(part, Mapping) else str(part)


def _entities(declared: Declared, rows: str | None) -> str:
    """The rows to score: a dataset's key, and the column that says when each is asked about."""
    if rows is None:
        return (
            "{dataset: rows, key: id, asked_at: known_at} # what is scored: a dataset, its key, when it is asked about"
        )
    found = declared.named("Dataset", rows)
    keys = [found["key"]] if isinstance(found["key"], str) else list(found["key"])
    if len(keys) > 1:
        raise ConfigError(
            f"The dataset {rows!r} has the key {keys}",
            expected="rows to score that one column names",
            action="Add such a column to the dataset, and make it the key",
        )
    asked_at = _column(found, ("timestamp",), first=("asked_at", found.get("time_column")))
    return in_one_line({"dataset": rows, "key": keys[0], "asked_at": asked_at})


def _labels(declared: Declared, labels: str | None, task: str) -> str:
    """The outcomes: the first column that can be one, and when it was known."""
    if labels is None:
        return "{dataset: outcomes, column: value, known_at: known_at} # what came of it: a dataset with the same key"
    found = declared.named("Dataset", labels)
    column = _column(found, ("bool", "int") if task == CLASSIFICATION.name else ("float", "int"))
    known_at = _column(found, ("timestamp",), first=(found.get("time_column"), "known_at"))
    return in_one_line({"dataset": labels, "column": column, "known_at": known_at})


def _column(dataset: Attributes, types: Sequence[str], first: Sequence[str | None] = ()) -> str:
    """The first of some columns that a dataset has, else its first column of the first type that it has any of."""
    columns = {str(name): str(text) for name, text in dataset["columns"].items()}
    of_types = [name for wanted in types for name, text in columns.items() if text.startswith(wanted)]
    fits = [name for name in first if name in columns] + of_types
    if not fits:
        raise ConfigError(
            f"The dataset {dataset['name']!r} has no column of the type {' or '.join(types)}",
            expected=f"one among its columns {', '.join(columns)}",
            action="Add it to the dataset's defs.yaml, or name another dataset",
        )
    return str(fits[0])
