"""The single rules of a policy: where each stands, what it says, and what is wrong with those that cannot be used.

Cedar tells an error without its place, so the texts are cut into rules here, and each is looked at by itself.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops_pipelines.agentops.policy import SCHEMA

if TYPE_CHECKING:
    from cedarpy import PolicySet

_PIECE = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;|[^;"/]+|.', re.DOTALL)
_TOKEN = re.compile(r"unexpected token `(.+?)`")
_OF_POLICY = re.compile(r"^for policy `policy\d+`, ")
_RULE_BEGINS = "@"
PERMIT, FORBID = "permit", "forbid"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a line of a file."""

    file: str
    line: int
    wrong: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.wrong}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its `@id`, whether it permits or forbids, its text and its place. `body` is Cedar's own JSON of it."""

    id: str
    effect: str
    text: str
    file: str
    line: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.file}:{self.line}"

    def parsed(self) -> "PolicySet":
        """The rule alone, for Cedar."""
        from cedarpy import PolicySet

        return PolicySet.from_str(self.text)


def rules_in(texts: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules of texts that have no fault, by file and line."""
    import cedarpy

    rules = []
    for file, line, text in _statements(texts):
        body = next(iter(json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"].values()))
        rules.append(Rule(body["annotations"]["id"], body["effect"], text, file, line, body))
    return tuple(rules)


def faults_in(texts: Mapping[str, str]) -> tuple[Fault, ...]:
    """Everything for which `Policy` would refuse some texts, each with its place; empty where it would not."""
    faults, places = [], dict[str, str]()
    for file, text in sorted(texts.items()):
        rules = list(_cut(text))
        if not rules:
            faults.append(Fault(file, 1, "there is no rule in it"))
        for line, rule in rules:
            faults += [Fault(file, at, wrong) for at, wrong in _wrong_with(line, rule, f"{file}:{line}", places)]
    return tuple(faults)


def _wrong_with(line: int, text: str, place: str, places: dict[str, str]) -> Iterator[tuple[int, str]]:
    import cedarpy

    found = cedarpy.validate_policies(text, SCHEMA)
    if not found.validation_passed:
        for error in found.errors:
            yield _line_of(error.error, line, text), _OF_POLICY.sub("", error.error) + _hint(error.error)
        return
    read = json.loads(cedarpy.policies_to_json_str(text))
    if read["templates"]:
        yield line, "it is a template, and nothing here fills one in"
        return
    for rule in read["staticPolicies"].values():
        name = rule.get("annotations", {}).get("id")
        if not name:
            yield line, "it has no @id, by which a decision would name it"
        elif places.setdefault(name, place) != place:
            yield line, f"its @id {name!r} is that of {places[name]}, too"


def _hint(error: str) -> str:
    """What is to be done where the next rule was read as a part of this one."""
    return ": the rule before it wants a semicolon" if _RULE_BEGINS in _TOKEN.findall(error) else ""


def _line_of(error: str, line: int, text: str) -> int:
    """The line of the word that an error names, where the rule holds it once; else the rule's own."""
    if _hint(error):
        return line + text[: max(text.rfind(f"\n{_RULE_BEGINS}") + 1, 0)].count("\n")
    names = _TOKEN.findall(error) or re.findall(r"attribute `(.+?)`", error)
    where = [found.start() for found in re.finditer(re.escape(names[0]), text)] if names else []
    return line + text[: where[0]].count("\n") if len(where) == 1 else line


def _statements(texts: Mapping[str, str]) -> Iterator[tuple[str, int, str]]:
    for file, text in sorted(texts.items()):
        yield from ((file, line, rule) for line, rule in _cut(text))


def _cut(text: str) -> Iterator[tuple[int, str]]:
    """Each rule with its line; what follows the last semicolon is one, too, where it is more than blanks and comments."""
    line, kept = 1, ""
    begins = 1
    for piece in _PIECE.findall(text):
        is_blank = piece.startswith("//") or not piece.strip()
        if not kept and is_blank:
            line += piece.count("\n")
            continue
        if not kept:
            begins = line + piece[: len(piece) - len(piece.lstrip())].count("\n")
        kept += piece if kept else piece.lstrip()
        line += piece.count("\n")
        if piece == ";":
            yield begins, kept
            kept = ""
    if kept.strip():
        yield begins, kept
