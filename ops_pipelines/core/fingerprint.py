"""Identity by content: sha256 over a canonical form.

Two things are the same when their digests are. A digest is 64 hexadecimal digits. Tables are hashed over the values of
their columns and not over a file, because the bytes of a Parquet file carry the name and version of its writer.

2026-11-22: the first design hashed the sorted Parquet file itself. An upgrade of pyarrow would then have moved the
digest of every dataset without a changed value, and "what changed?" would have had a wrong answer.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: keys sorted, no spaces, UTF-8; NaN and infinities are refused with ValueError.

    >>> canonical_json({"b": 1, "a": [1.5, None]})
    b'{"a":[1.5,null],"b":1}'
    """
    return _CANONICAL.encode(value).encode()


def digest_bytes(content: bytes) -> str:
    """The sha256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def digest_json(value: Any) -> str:
    """The sha256 of a value's canonical JSON.

    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    return digest_bytes(canonical_json(value))


def digest_files(paths: Sequence[Path]) -> str:
    """One digest over the names (without folders) and the bytes of some files, whatever order they come in."""
    return digest_json(sorted((path.name, digest_bytes(path.read_bytes())) for path in paths))


def digest_table(table: "pa.Table", *, key: Sequence[str]) -> str:
    """The sha256 of a table's values, the same for every order of its rows and columns.

    Rows are sorted by `key`, which has to be unique for that promise to hold, and columns by name. Column names, types,
    values and which values are missing all count; how the table was stored, chunked or written does not. Raises
    DataError for a type that has no canonical bytes (nested columns).
    """
    hasher = hashlib.sha256()
    plain = _decoded(table)
    ordered = plain.sort_by([(name, "ascending") for name in key]) if plain.num_rows else plain
    for name in sorted(ordered.column_names):
        _hash_column(hasher, name, ordered.column(name))
    hasher.update(f"rows:{ordered.num_rows}".encode())
    return hasher.hexdigest()


def short(digest: str) -> str:
    """The first twelve digits of a digest, which people read and `ops` accepts."""
    return digest[:12]


def _decoded(table: "pa.Table") -> "pa.Table":
    """The table without dictionaries, by which Arrow cannot sort."""
    import pyarrow as pa

    for position, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(position, field.name, table.column(position).cast(field.type.value_type))
    return table


def _hash_column(hasher: "hashlib._Hash", name: str, column: "pa.ChunkedArray") -> None:
    kind, values = _plain_values(name, column)
    hasher.update(canonical_json([name, kind]))
    hasher.update(column.is_null().to_numpy().tobytes())
    hasher.update(values)


def _plain_values(name: str, column: "pa.ChunkedArray") -> tuple[str, bytes]:
    """The canonical type and bytes of a column, missing values replaced by that type's zero."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = pc.fill_null(column, "")
        lengths = pc.binary_length(texts).cast(pa.int64()).to_numpy().tobytes()
        return "string", lengths + "".join(texts.to_pylist()).encode()
    if pa.types.is_boolean(kind):
        return "bool", pc.fill_null(column, False).cast(pa.uint8()).to_numpy().tobytes()
    if pa.types.is_timestamp(kind):
        micros = column.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64())
        return f"timestamp[{kind.tz}]", pc.fill_null(micros, 0).to_numpy().tobytes()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return str(kind), pc.fill_null(column, 0).to_numpy().tobytes()
    raise DataError(
        f"Column {name!r} of type {kind} has no canonical form",
        expected="text, booleans, numbers or timestamps",
        action="Flatten the column in the dataset's loader",
        column=name,
    )
