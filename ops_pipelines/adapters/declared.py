"""What a project's YAML declares so far, so that what is written next fits to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops_pipelines.core.errors import ConfigError, near_miss

PREFIX = "ops_pipelines.components."
FIRST_WEEK = "2025-01-06"
"""Where the weeks of a project begin that has declared none yet."""

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """The attributes of each dataset, feature set and model, by kind (`Dataset`) and name; empty for a new project.

    `folders` names where each is declared. `unread` are the files that no YAML parser takes; what they mean to declare is
    not known.
    """

    kinds: Mapping[str, Mapping[str, Attributes]] = field(default_factory=dict)
    unread: tuple[Path, ...] = ()
    folders: Mapping[tuple[str, str], Path] = field(default_factory=dict)

    def named(self, kind: str, name: str) -> Attributes:
        """The attributes of one; ConfigError with the nearest name where nothing of this kind is called so."""
        known = self.kinds.get(kind, {})
        if name in known:
            return known[name]
        write = near_miss(name, known) if known else f"Write it first: `ops new {_verb(kind)} {name}`"
        raise ConfigError(
            f"No {kind} is named {name!r}",
            expected="one that a defs.yaml of this project declares",
            action=f"{self.unread[0]} cannot be read: see `dg check yaml`" if self.unread else write,
        )

    def model_like(self, task: str) -> Attributes | None:
        """The first model of a task, by name; None where there is none."""
        models = self.kinds.get("Model", {})
        return next((models[name] for name in sorted(models) if models[name].get("task", task) == task), None)

    def weekly(self) -> dict[str, str]:
        """The weeks of what is declared already: all of a code location share them."""
        every = (attributes for kind in sorted(self.kinds) for _, attributes in sorted(self.kinds[kind].items()))
        return next((dict(found) for one in every if (found := one.get("weekly"))), {"start": FIRST_WEEK})


def declared_in(folder: Path) -> Declared:
    """What the defs.yaml files under a folder declare; one that cannot be read stops nobody, and is named."""
    kinds: dict[str, dict[str, Attributes]] = {}
    folders: dict[tuple[str, str], Path] = {}
    unread = []
    for file in sorted(folder.rglob("defs.yaml")):
        documents = _documents(file)
        if documents is None:
            unread.append(file)
        for document in documents or []:
            kind, attributes = str(document.get("type", "")), document.get("attributes")
            if kind.startswith(PREFIX) and isinstance(attributes, dict) and "name" in attributes:
                named = kind.removeprefix(PREFIX), str(attributes["name"])
                kinds.setdefault(named[0], {})[named[1]] = attributes
                folders[named] = file.parent
    return Declared(kinds, tuple(unread), folders)


def _documents(file: Path) -> list[dict[str, Any]] | None:
    """The mappings of a YAML file; None where it is none."""
    import yaml

    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    return [document for document in documents if isinstance(document, dict)]


def _verb(kind: str) -> str:
    return {"FeatureSet": "feature-set"}.get(kind, kind.lower())
