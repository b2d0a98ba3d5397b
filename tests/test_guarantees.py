import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [line for line in (ROOT / "GUARANTEES.md").read_text().splitlines() if line.startswith("| ") and "::" in line]
PROOFS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", "\n".join(ROWS))


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("path", "name"), PROOFS)
def test_the_proof_of_a_promise_is_a_test_that_exists(path: str, name: str) -> None:
    assert name in names_in(path)


def test_each_promise_has_a_mechanism_and_a_proof() -> None:
    promises = [line for line in (ROOT / "GUARANTEES.md").read_text().splitlines() if line.startswith("| ")]
    named = [line for line in promises if line != "| promise | mechanism | proof |"]
    assert named == ROWS
    assert all(
        len(re.findall(r"(?<!\\)\|", row)) == 4 and all(cell.strip() for cell in row.split("|")[1:-1]) for row in ROWS
    )
