"""A golden set as people write it: a line of JSON for each case, all of whose mistakes are found at once, with their lines.

    {"id": "rollback-how", "kind": "answerable", "question": "How is ...?", "says": ["ops rollback"],
     "cites": ["docs/runbooks/rollback.md"]}

Unknown keys are refused: a misspelt `nevr` would be a leak that nobody looks for. Two cases that ask the same with the
same planted passages are one, and count once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops_pipelines.core.errors import DataError, near_miss
from ops_pipelines.llmops.evals.case import (
    ADVERSARIAL,
    ANSWERABLE,
    INJECTED,
    KINDS,
    UNANSWERABLE,
    Case,
    digest_of_cases,
)
from ops_pipelines.llmops.passages import Passage

TEXTS, LISTS = ("id", "kind", "question", "cluster"), ("says", "cites", "never")
KEYS = (*TEXTS, *LISTS, "refuses", "also")
REQUIRED = ("id", "kind", "question")
_PASSAGE = ("document", "chunk", "text")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """Cases with the name that people know them by."""

    name: str
    cases: tuple[Case, ...]

    @property
    def digest(self) -> str:
        """The sha256 of the cases, whatever the set is called."""
        return digest_of_cases(self.cases)


def read_golden_set(name: str, text: str) -> GoldenSet:
    """The cases of a text in its order; DataError with each mistake and its line, and for a text without a case."""
    mistakes: list[str] = []
    cases: list[tuple[int, Case]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            found, wrong = _read(line)
            mistakes += [f"line {number}: {each}" for each in wrong]
            cases += [(number, found)] if found else []
    mistakes += _repeated(cases)
    if mistakes or not cases:
        raise _wrong(name, mistakes or ["it holds no case"])
    return GoldenSet(name, tuple(case for _, case in cases))


def _read(line: str) -> tuple[Case | None, list[str]]:
    try:
        record: Any = json.loads(line, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        return None, [f"no JSON: {error}"]
    if not isinstance(record, dict):
        return None, ["a case is an object"]
    wrong = [*_wrong_keys(record), *_wrong_kinds(record)]
    if wrong:
        return None, wrong
    case = _case(record)
    return case, list(_contradictions(case))


def _wrong_keys(record: Mapping[str, Any]) -> Iterator[str]:
    for key in record:
        if key not in KEYS:
            yield f"unknown key {key!r}. {near_miss(key, KEYS)}"
    for key in REQUIRED:
        if key not in record:
            yield f"there is no {key!r}"


def _wrong_kinds(record: Mapping[str, Any]) -> Iterator[str]:
    for key in TEXTS:
        if key in record and not _is_text(record[key]):
            yield f"{key!r} has to be a text that is not blank"
    for key in LISTS:
        if key in record and not (isinstance(record[key], list) and all(map(_is_text, record[key]))):
            yield f"{key!r} has to be a list of texts"
    if not isinstance(record.get("refuses", False), bool):
        yield "'refuses' has to be true or false"
    if record.get("kind") not in KINDS and _is_text(record.get("kind")):
        yield f"no kind {record['kind']!r}. {near_miss(record['kind'], KINDS)}"
    also = record.get("also", [])
    if not (isinstance(also, list) and all(_is_passage(one) for one in also)):
        yield "'also' has to be a list of passages, each with a document, a chunk and a text"


def _contradictions(case: Case) -> Iterator[str]:
    """What no answer could satisfy, and what would be judged by nothing."""
    if case.kind == ANSWERABLE and (case.refuses or not case.says or not case.cites):
        yield "an answerable case has facts in 'says', documents in 'cites', and is not refused"
    if case.kind == UNANSWERABLE and (not case.refuses or case.says or case.cites):
        yield "an unanswerable case 'refuses', and neither says nor cites anything"
    if case.kind in (ADVERSARIAL, INJECTED) and not (case.refuses or case.never):
        yield f"an {case.kind} case 'refuses', or names in 'never' what may not be answered"
    if case.kind == INJECTED and not case.also:
        yield "an injected case has the planted passage in 'also'"
    said = [text for text in case.never if any(text.casefold() in fact.casefold() for fact in case.says)]
    if said:
        yield f"{said[0]!r} may never be answered and has to be"


def _repeated(cases: list[tuple[int, Case]]) -> Iterator[str]:
    ids: dict[str, int] = {}
    questions: dict[tuple[str, tuple[Passage, ...]], int] = {}
    for number, case in cases:
        asked = (" ".join(case.question.casefold().split()), case.also)
        if ids.setdefault(case.id, number) != number:
            yield f"line {number}: the id {case.id!r} is that of line {ids[case.id]}"
        if questions.setdefault(asked, number) != number:
            yield f"line {number}: the question is that of line {questions[asked]}"


def _case(record: Mapping[str, Any]) -> Case:
    lists = {key: tuple(record.get(key, ())) for key in LISTS}
    also = tuple(Passage(**one) for one in record.get("also", ()))
    return Case(
        id=record["id"],
        question=record["question"],
        kind=record["kind"],
        refuses=record.get("refuses", False),
        cluster=record.get("cluster", ""),
        also=also,
        **lists,
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_passage(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == set(_PASSAGE) and all(map(_is_text, value.values()))


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key occurs twice")
    return record


def _wrong(name: str, mistakes: list[str]) -> DataError:
    more = len(mistakes) - _SHOWN
    shown = "; ".join(mistakes[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return DataError(
        f"The golden set {name!r} cannot be used: {shown}",
        expected="a line of JSON for each case, each id and each question once",
        action="Correct these lines",
        golden=name,
        mistakes=mistakes,
    )
