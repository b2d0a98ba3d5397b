"""What callers send and get: the Open Inference Protocol v2, and a plain JSON door that takes entity keys.

Bodies are decoded into these types, so a wrong field is named by its path before anything is computed.
https://github.com/open-inference/open-inference-protocol
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

from msgspec import DecodeError, Meta, Struct, ValidationError, json

from ops_pipelines.core.errors import ConfigError, SchemaMismatch

MAX_ROWS = 1_000
"""The most rows of one request; more of them belong into a batch."""

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]
Key = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
"""A larger number could not be kept in the log, and whatever was answered after it would wait behind it for ever."""
_TAKEN: Mapping[str, tuple[type, ...]] = {
    datatype: {"BYTES": (str,), "BOOL": (bool,)}.get(datatype, (float, int) if datatype.startswith("FP") else (int,))
    for datatype in get_args(Datatype)
}
"""The exact types that the values of each datatype may have in JSON."""
T = TypeVar("T")


class Parameters(Struct):
    """What may be asked beside the inputs; parameters of other servers are passed over."""

    durable: bool = False
    allow_missing: bool = False


class Tensor(Struct, forbid_unknown_fields=True):
    """One feature with one value a row: a shape of [rows] or [rows, 1], values in rows' order."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    shape: Annotated[list[Annotated[int, Meta(ge=1)]], Meta(min_length=1, max_length=2)]
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] | None = None


class WantedOutput(Struct, forbid_unknown_fields=True):
    """An output by name; both are always given."""

    name: Literal["score", "prediction_id"]
    parameters: dict[str, Any] | None = None


class InferRequest(Struct, forbid_unknown_fields=True):
    """A request of the Open Inference Protocol: a tensor a feature, and if the caller likes one of the entity's key."""

    inputs: Annotated[list[Tensor], Meta(min_length=1, max_length=4096)]
    id: Annotated[str, Meta(max_length=256)] | None = None
    parameters: Parameters | None = None
    outputs: list[WantedOutput] | None = None


class PredictRequest(Struct, forbid_unknown_fields=True):
    """Rows of entity keys, whose features are looked up online; `durable` waits until the answers are on the disk."""

    rows: Annotated[list[dict[str, Key]], Meta(min_length=1, max_length=MAX_ROWS)]
    durable: bool = False
    allow_missing: bool = False


class Output(Struct):
    """One output tensor, a value a row."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any]


class InferResponse(Struct):
    """The answer of the Open Inference Protocol. `parameters` names the whole digest of the release that made it."""

    model_name: str
    model_version: str
    outputs: list[Output]
    parameters: dict[str, Any]
    id: str | None = None


class Prediction(Struct, omit_defaults=True):
    """One row's answer; `missing` names what could not be looked up, where that was allowed."""

    id: str
    score: float
    entity: Key = None
    missing: dict[str, str] = {}


class PredictResponse(Struct):
    """The answer of the JSON door: each row's prediction, and the one release that made them all."""

    system: str
    release: str
    predictions: list[Prediction]
    logged: Literal["queued", "durable", "no"]


class ErrorResponse(Struct, omit_defaults=True):
    """What was wrong, what was expected, what to do; `field` is the input at fault."""

    error: str
    expected: str = ""
    action: str = ""
    field: str = ""


def decoder(kind: type[T]) -> "json.Decoder[T]":
    """A decoder of one kind of body, for `decode`."""
    return json.Decoder(kind)


def decode(body: bytes, reader: "json.Decoder[T]") -> T:
    """The request in a body. ConfigError where it is no JSON; SchemaMismatch, with the path, where a field is wrong."""
    try:
        return reader.decode(body)
    except ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        field = path.strip("`").removeprefix("$.")
        raise SchemaMismatch(
            f"The body is not what this door takes: {message}{f' at {field}' if field else ''}",
            expected="a body as /openapi.json describes it",
            action="Correct the field",
            field=field,
        ) from error
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ConfigError(f"The body is no JSON: {error}", expected="a JSON object", action="Send one") from error


def columns_of(request: InferRequest) -> tuple[dict[str, Sequence[Any]], int]:
    """The values of each input by its name, and how many rows they are; SchemaMismatch that names the input at fault."""
    rows = request.inputs[0].shape[0]
    if not 0 < rows <= MAX_ROWS:
        raise _wrong(request.inputs[0], f"has {rows} rows", f"1 to {MAX_ROWS}")
    columns: dict[str, Sequence[Any]] = {}
    shapes = ([rows], [rows, 1])
    for tensor in request.inputs:
        if tensor.name in columns:
            raise _wrong(tensor, "is given twice", "each input once")
        if tensor.shape not in shapes:
            raise _wrong(
                tensor, f"has the shape {tensor.shape}", f"[{rows}] or [{rows}, 1], as the first input has rows"
            )
        columns[tensor.name] = _values(tensor, rows)
    return columns, rows


def _values(tensor: Tensor, rows: int) -> Sequence[Any]:
    values: list[Any] = tensor.data
    if values and type(values[0]) is list:  # the protocol lets data be nested as its shape is
        values = [value[0] if type(value) is list and len(value) == 1 else value for value in values]
    if len(values) != rows:
        raise _wrong(tensor, f"has {len(values)} values for the shape {tensor.shape}", f"{rows} values")
    taken = _TAKEN[tensor.datatype]
    for value in values:
        if value is not None and type(value) not in taken:
            raise _wrong(
                tensor, f"of {tensor.datatype} holds {repr(value)[:60]}", f"values of {tensor.datatype}, or null"
            )
    return values


def _wrong(tensor: Tensor, what: str, expected: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"The input {tensor.name!r} {what}",
        expected=expected,
        action="Correct the input",
        field=tensor.name,
    )
