"""What prompts are asked with, from a file of lines of JSON: `{"id", "values", "weight"?, "output_tokens"?}`."""

import json
from pathlib import Path
from typing import Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.projected_cost import AskedCase

_KEYS = {"id", "values", "weight", "output_tokens"}


def read_asked_cases(file: Path) -> list[AskedCase]:
    """The cases of a file in its order; DataError with the line for one that is not as it should be, or occurs twice."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(file, 0, str(error)) from error
    cases: dict[str, AskedCase] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        case = _case(file, number, line)
        if case.id in cases:
            raise _wrong(file, number, f"the id {case.id!r} occurs twice")
        cases[case.id] = case
    return list(cases.values())


def _case(file: Path, number: int, line: str) -> AskedCase:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _wrong(file, number, f"no JSON: {error}") from error
    match record:
        case {"id": str() as name, "values": dict() as values} if set(record) <= _KEYS and name:
            weight, length = record.get("weight", 1.0), record.get("output_tokens")
            if _is_amount(weight) and (length is None or (isinstance(length, int) and _is_amount(length))):
                return AskedCase(name, values, float(weight), length)
    raise _wrong(file, number, "an id, values, and perhaps a weight and output_tokens from 0 on are expected")


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12


def _wrong(file: Path, number: int, why: str) -> DataError:
    return DataError(
        f"{file}:{number}: {why}",
        expected='a line of JSON for each case: {"id": ..., "values": {...}}',
        action="Correct the line",
        file=str(file),
        line=number,
    )
