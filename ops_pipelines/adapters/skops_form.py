"""The canonical form of what skops saves: equal models are equal bytes.

skops names arrays and marks shared objects by their address in memory, and its archive is dated. Here files are numbered
by their content in order of first appearance, marks are numbered likewise and kept only where something really is
shared, sets are sorted, and bytes between the fields of a record, which nothing ever wrote, are zero.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ops_pipelines.adapters.archive import pack, unpack
from ops_pipelines.core.fingerprint import canonical_json

_SCHEMA, _FILE = "schema.json", re.compile(r"\d+\.(npy|npz|bin)")
_SHARED = ("ObjectNode", "TreeNode", "NdArrayNode")
"""What may be one thing in two places. Two equal strings or numbers are as good as one, and Python decides which it is."""


def canonical(saved: bytes) -> bytes:
    """The canonical form of the bytes of `skops.io.dumps`, which `skops.io.loads` reads as well."""
    import zipfile

    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop(_SCHEMA))
    kept: dict[bytes, str] = {}
    _number_marks(schema)
    for node in _nodes(schema):
        if "file" in node:
            content = _without_padding(files[node["file"]])
            node["file"] = kept.setdefault(content, f"{len(kept)}.{node['file'].rpartition('.')[2]}")
    # Not canonical_json: the order of a dict's entries is a part of the model.
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=True).encode()
    return pack({_SCHEMA: text, **{name: content for content, name in kept.items()}})


def loaders_by_type(content: bytes) -> dict[str, set[str]]:
    """How skops will make each type that the bytes name, by `module.Class`; ValueError for bytes of another form."""
    entries = unpack(content)
    if _SCHEMA not in entries:
        raise ValueError(f"they have no {_SCHEMA}")
    for name in entries.keys() - {_SCHEMA}:
        if not _FILE.fullmatch(name):
            raise ValueError(f"an entry is named {name!r}")
    found: dict[str, set[str]] = {}
    for node in _nodes(json.loads(entries[_SCHEMA])):
        found.setdefault(f"{node['__module__']}.{node['__class__']}", set()).add(node["__loader__"])
    return found


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every node of a schema, a parent before what it holds."""
    if isinstance(value, dict):
        if "__loader__" in value:
            yield value
        for part in value.values():
            yield from _nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from _nodes(part)


def _number_marks(schema: dict[str, Any]) -> None:
    times = Counter(node.get("__id__") for node in _nodes(schema) if node["__loader__"] in _SHARED)
    for node in _nodes(schema):
        if times.get(node.get("__id__"), 0) < 2 or node["__loader__"] not in _SHARED:
            node.pop("__id__", None)
    for node in _nodes(schema):
        if node["__loader__"] == "SetNode":
            node["content"].sort(key=canonical_json)
    numbers: dict[int, int] = {}
    for node in _nodes(schema):
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)


def _without_padding(content: bytes) -> bytes:
    """An array of records with zeros between their fields; anything else as it is."""
    import numpy as np

    if not content.startswith(b"\x93NUMPY"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)  # zeros_like leaves the padding as it finds it
    for name in array.dtype.names:
        clean[name] = array[name]
    if {"left_child", "missing_go_to_left"} <= set(array.dtype.names):
        # A leaf of a scikit-learn tree has no way for missing values to go, and keeps what was in memory before it.
        clean["missing_go_to_left"][clean["left_child"] == -1] = 0
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()
