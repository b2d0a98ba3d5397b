"""What is wrong with a right call of BFCL that the gate refuses: its own row of the data set contradicts itself.

Each fault is found by comparing the call with the schema of the same row, without the gate's own judge. No id is
listed here, and no question: a refused call of which nothing is found is a fault of the gate.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.tool_calls import GoldCall

LEFT_OUT = "it leaves out what its schema requires"
NOT_NAMED = "it names an argument that its schema does not have"
NOT_LISTED = "its value is not among those that its schema lists"
OTHER_TYPE = "its value has another type than its schema says"
LIST_OF_LISTS = "its schema lists single values for what it calls an array"

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def faults_of(call: GoldCall) -> tuple[str, ...]:
    """Where a call and its own schema contradict each other, each as `where: what`; empty where they do not."""
    return tuple(f"{where or 'the call'}: {what}" for where, what in _faults(call.schema, call.arguments, ""))


def _faults(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[tuple[str, str]]:
    kind = schema.get("type")
    if kind in _TYPES and not _is_of(kind, value):
        yield where, OTHER_TYPE
        return
    if "enum" in schema and value not in schema["enum"]:
        listed = kind == "array" and not any(isinstance(one, list) for one in schema["enum"])
        yield where, LIST_OF_LISTS if listed else NOT_LISTED
    if isinstance(value, dict):
        yield from _of_object(schema, value, where)
    if isinstance(value, list):
        for at, part in enumerate(value):
            yield from _faults(schema.get("items", {}), part, f"{where}[{at}]")


def _of_object(schema: Mapping[str, Any], value: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    named = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}/{name}", LEFT_OUT
    for name, part in value.items():
        if named and name not in named:
            yield f"{where}/{name}", NOT_NAMED
        elif name in named:
            yield from _faults(named[name], part, f"{where}/{name}")


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
