"""Whether a model's answer is the JSON that its prompt asked for.

An answer is taken as it is: no fence is stripped, no number read from a text, no field added. What a schema refers to has to
stand in the schema itself, since nothing here may reach a network.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MAX_ANSWER_CHARS = 1_000_000
_SHOWN = 5


def judge_answer(text: str, schema: Mapping[str, Any]) -> Verdict:
    """Passed for an answer that is JSON of the schema, with the `answer` read; Blocked with each reason and where it holds.

    NotEvaluated for an empty answer, and for a schema that cannot judge.
    """
    if not text.strip():
        return NotEvaluated("the answer is empty")
    broken = problems_of_schema(schema)
    if broken:
        return NotEvaluated(f"the response schema cannot judge: {broken[0]}")
    try:
        answer = _read(text)
    except (ValueError, RecursionError) as error:
        return Blocked((f"the answer is not JSON: {error or 'it is nested too deeply'}",))
    try:
        reasons = [f"{error.json_path}: {error.message}"[:500] for error in _validator(schema).iter_errors(answer)]
    except Exception as error:  # whatever a schema that looked sound breaks on, the answer was not judged
        return NotEvaluated(f"the response schema cannot judge: {type(error).__name__}: {error}"[:500])
    return Blocked(tuple(sorted(reasons)[:_SHOWN]), {"errors": len(reasons)}) if reasons else Passed({"answer": answer})


def problems_of_schema(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a schema cannot judge an answer; empty for one that can."""
    from jsonschema import Draft202012Validator

    outside = [reference for reference in _references(schema) if not reference.startswith("#")]
    if outside:
        return tuple(f"it refers to {reference!r}, outside itself" for reference in sorted(set(outside)))
    errors = Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema)
    return tuple(sorted(f"{error.json_path}: {error.message}"[:500] for error in errors))


def in_order_of_required(schema: Any) -> Any:
    """A schema whose properties stand in the order of `required`, the others after them by name, at every depth."""
    if isinstance(schema, list):
        return [in_order_of_required(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    ordered = {key: in_order_of_required(schema[key]) for key in sorted(schema)}
    properties, required = ordered.get("properties"), ordered.get("required")
    if isinstance(properties, dict) and isinstance(required, list):
        names = dict.fromkeys([*(name for name in required if name in properties), *properties])
        ordered["properties"] = {name: properties[name] for name in names}
    return ordered


def _validator(schema: Mapping[str, Any]) -> "Validator":
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(schema, registry=Registry())


def _references(schema: Any) -> list[str]:
    if isinstance(schema, Mapping):
        here = [schema[key] for key in ("$ref", "$dynamicRef", "$schema", "$id") if isinstance(schema.get(key), str)]
        return [one for one in here if not _is_draft(one)] + [r for part in schema.values() for r in _references(part)]
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [reference for part in schema for reference in _references(part)]
    return []


def _is_draft(reference: str) -> bool:
    return reference.rstrip("#") == "https://json-schema.org/draft/2020-12/schema"


def _read(text: str) -> Any:
    """The JSON of an answer; ValueError for what is none, for NaN, and for a key that occurs twice."""
    import json

    if len(text) > MAX_ANSWER_CHARS:
        raise ValueError(f"it has {len(text):,} characters, and may have {MAX_ANSWER_CHARS:,}")
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_once_each)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return read
