"""Which feature views and services the files of a feature repo define, read without importing Feast or running them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KINDS = {"FeatureView": "views", "FeatureService": "services"}


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """A file of a feature repo: the names of what it defines, and which other files of the repo it imports."""

    path: Path
    views: tuple[str, ...]
    services: tuple[str, ...]
    imports: tuple[Path, ...]


def read_feature_files(folder: Path) -> list[FeatureFile]:
    """Each Python file of a feature repo; a file that does not parse defines nothing. Empty where there is no folder."""
    return [_read(file) for file in sorted(folder.glob("*.py"))]


def _read(file: Path) -> FeatureFile:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return FeatureFile(file, (), (), ())
    defined = list(_defined(tree))
    views, services = (tuple(name for kind, name in defined if kind == wanted) for wanted in _KINDS.values())
    beside = (file.with_name(f"{module}.py") for module in _imported(tree))
    return FeatureFile(file, views, services, tuple(other for other in beside if other.is_file()))


def _defined(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The kind and the name of each view and service that a file makes with a name in writing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            kind = _KINDS.get(node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
            name = next((each.value for each in node.keywords if each.arg == "name"), None)
            if kind and isinstance(name, ast.Constant):
                yield kind, str(name.value)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
