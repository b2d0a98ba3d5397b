"""YAML that says what it seems to: one mapping, each key once, no anchors, and the line of every part.

YAML itself takes the last of two equal keys, and lets an alias put a distant text in a place where no reviewer sees it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from yaml import Node


_BRACES = "braces outside quotes are a mapping in YAML: put the text in quotes, or below a `|`"


class YamlError(ConfigError):
    """A text that is no such YAML; `line` counts from 1."""

    def __init__(self, wrong: str, line: int) -> None:
        super().__init__(
            wrong, expected="one mapping in YAML, each key once, without anchors", action="Mend it", line=line
        )
        self.line = line


def read_strictly(text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The mapping that a text holds, and the line of each part by its path (`messages.0.content`), from 1.

    A block of text is where its first line is, below the `|`. Raises YamlError for anything but plain YAML.
    """
    import yaml

    try:
        _check_plain(yaml.compose(text, Loader=yaml.SafeLoader), text)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(_BRACES if error.problem == "found unhashable key" else str(error.problem), line) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise YamlError(str(error).partition("\n")[0] or "it is nested too deeply", 1) from error
    if not isinstance(content, dict):
        raise YamlError("the file holds no mapping", 1)
    return content, dict(_lines(yaml.compose(text, Loader=yaml.SafeLoader), ""))


def _check_plain(root: "Node | None", text: str) -> None:
    import yaml

    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
            raise YamlError("an anchor or an alias: write the text out", token.start_mark.line + 1)
    for node in _nodes(root):
        keys: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
            if str(key.value) in keys:
                raise YamlError(f"the key {key.value!r} occurs twice", key.start_mark.line + 1)
            keys.add(str(key.value))


def _nodes(node: "Node | None") -> "Iterator[Node]":
    if node is None:
        return
    yield node
    for inner in node.value if isinstance(node.value, list) else []:
        for part in inner if isinstance(inner, tuple) else (inner,):
            yield from _nodes(part)


def _lines(node: "Node | None", path: str) -> Iterator[tuple[str, int]]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}".lstrip(".")
            block = isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")
            yield inner, value.start_mark.line + 2 if block else key.start_mark.line + 1
            yield from _lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield f"{path}.{number}", value.start_mark.line + 1
            yield from _lines(value, f"{path}.{number}")
