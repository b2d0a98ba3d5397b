"""Public tool calls, and what is done to them: BFCL's right answers with their schemas, and recorded runs of tau-bench.

BFCL names its types as Python does, and gives for each argument the values that are right, an empty text among them where
it may be left out. The gold call takes the first right value that the argument's own schema lets through, so that a choice
among right values is no fault of the data set; what is refused even so is listed with its reason.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KINDS = {"dict": "object", "float": "number", "tuple": "array"}
_WORDS = ("description", "optional", "default")


@dataclass(frozen=True, slots=True)
class GoldCall:
    """A right call: of which question, to which tool, with its schema; `question` is what the user said."""

    question_id: str
    question: str
    tool: str
    schema: Mapping[str, Any]
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """What is said in a recorded run, a tool's result (with the tool's name), or a call with its arguments."""

    role: str
    text: str
    tool: str = ""
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A recorded run, and whether it did what was asked for."""

    name: str
    succeeded: bool
    turns: tuple[Turn, ...]


def data() -> Path:
    """Where the public files lie, or would."""
    return Path(os.environ.get("OPS_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data")) / "agents"


def gold_calls() -> Iterator[GoldCall]:
    """The right calls of BFCL's questions, in their order."""
    for line in (data() / "bfcl_v4_subset.jsonl").read_text().splitlines():
        record = json.loads(line)
        row, answer = record["row"], record.get("answer")
        if "function" not in row or not answer or not isinstance(answer[0], dict):
            continue
        schemas = {function["name"]: _schema(function["parameters"]) for function in row["function"]}
        question = json.dumps(row["question"], ensure_ascii=False)
        for call in answer:
            for tool, allowed in call.items():
                yield GoldCall(row["id"], question, tool, schemas[tool], _arguments(allowed, schemas[tool]))


def recorded_runs() -> Iterator[RecordedRun]:
    """The recorded runs of tau-bench's airline desk."""
    for line in (data() / "tau_airline_dev.jsonl").read_text().splitlines():
        record = json.loads(line)
        name = f"{record['task_id']}/{record.get('trial', 0)}"
        yield RecordedRun(name, record["reward"] == 1.0, tuple(_turns(record["traj"])))


def mutations(call: GoldCall) -> Iterator[tuple[str, dict[str, Any]]]:
    """The structural damage that a model does to a call, each with its kind: none of it is a right call any more."""
    arguments, properties = dict(call.arguments), call.schema.get("properties", {})
    yield "a key that nobody named", {**arguments, "invented_argument": "x"}
    for name in call.schema.get("required", ()):
        if name in arguments:
            yield "a required key is missing", {key: value for key, value in arguments.items() if key != name}
    for name, value in arguments.items():
        kind = properties.get(name, {}).get("type")
        if kind in _OTHER:
            yield "another type", {**arguments, name: _OTHER[kind]}
            yield "null", {**arguments, name: None}
        if kind in ("integer", "number", "boolean"):
            yield "a number or truth as a text", {**arguments, name: json.dumps(value)}
        if kind in ("object", "array"):
            yield "JSON within a text", {**arguments, name: json.dumps(value)}
        yield "a key in another spelling", {(_respelt(key) if key == name else key): v for key, v in arguments.items()}
        if "enum" in properties.get(name, {}):
            yield "a value that is not listed", {**arguments, name: "none of the listed"}


_OTHER: dict[str, Any] = {
    "string": 17,
    "integer": 3.5,
    "number": "x",
    "boolean": "yes",
    "array": {"a": 1},
    "object": [1],
}


def _respelt(name: str) -> str:
    return f"{name}_" if name.isupper() else name.upper()


def _schema(schema: Any) -> Any:
    """BFCL's schema as JSON Schema."""
    if isinstance(schema, list):
        return [_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _part(key, value) for key, value in schema.items() if key not in _WORDS}
    if isinstance(made.get("type"), str):
        made["type"] = _KINDS.get(made["type"], made["type"])
    if made.get("type") == "any":
        del made["type"]
    return made


def _part(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: _schema(part) for name, part in value.items()}
    return value if key in ("enum", "required", "type") else _schema(value)


def _arguments(allowed: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    made: dict[str, Any] = {}
    for name, values in allowed.items():
        listed = values if isinstance(values, list) else [values]
        right = [value for value in listed if value != ""]
        if not right or ("" in listed and name not in required):
            continue
        made[name] = _first_right(right, properties.get(name, {}))
    return made


def _first_right(values: Sequence[Any], schema: Mapping[str, Any]) -> Any:
    """The first right value that its schema lets through; the first of all where none is."""
    from jsonschema_rs import Draft202012Validator

    judge = Draft202012Validator(schema)
    made = [_value(value, schema) for value in values]
    return next((value for value in made if judge.is_valid(value)), made[0])


def _value(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return _arguments(value, schema)
    if isinstance(value, list):
        return [_value(part, schema.get("items", {})) if isinstance(part, dict) else deepcopy(part) for part in value]
    return value


def _turns(messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    for message in messages:
        for call in message.get("tool_calls") or ():
            function = call["function"]
            yield Turn("call", "", function["name"], json.loads(function["arguments"]))
        if message["role"] != "assistant":
            yield Turn(message["role"], str(message.get("content") or ""), message.get("name", ""))
