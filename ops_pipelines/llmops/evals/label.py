"""What people say of answers: a sheet of lines of JSON goes out, and comes back with a `label` from 0 to 1 on each line.

A label is about one text. It names the text's digest, so that it holds for the same answer in later evaluations, and is
stale where the answer is another one by now. The sheet shows no score: whoever labels is not told what to think.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import DataError, near_miss
from ops_pipelines.core.fingerprint import digest_bytes, digest_json
from ops_pipelines.llmops.evals.result import EvalRun, Scored

ASKED = "correct"
"""What is asked of people where nothing else is said: whether the answer is right."""
_FOR_PEOPLE = ("question", "passages")
_KEYS = ("evaluation", "case", "repeat", "aspect", "answer", "answer_digest", "label", "by", "at", "note")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Label:
    """What one person says of one answer. `aspect` is what was asked, and `answer` the digest of the text."""

    evaluation: str
    case: str
    repeat: int
    answer: str
    value: float
    by: str
    at: datetime
    aspect: str = ASKED
    note: str = ""


def digest_of_answer(text: str) -> str:
    """The sha256 of an answer's text."""
    return digest_bytes(text.encode())


def sheet(evaluation: str, run: EvalRun, *, most: int | None = None, aspect: str = ASKED) -> str:
    """The answers of a run as lines to be labelled, in an order that chance made and that is always the same.

    The first `most` of it are a fair sample, from which means can be corrected. Cases without an answer are left out.
    """
    answered = [one for one in run.scored if one.answer]
    drawn = sorted(answered, key=lambda one: digest_json([evaluation, one.case, one.repeat]))[:most]
    lines = [json.dumps(_line(evaluation, one, aspect), ensure_ascii=False) for one in drawn]
    return "".join(f"{line}\n" for line in lines)


def _line(evaluation: str, one: Scored, aspect: str) -> dict[str, Any]:
    text = one.answer.text if one.answer else ""
    return {
        "evaluation": evaluation,
        "case": one.case,
        "repeat": one.repeat,
        "aspect": aspect,
        "question": one.question,
        "passages": [f"{each.citation} {each.text}" for each in (one.answer.passages if one.answer else ())],
        "answer": text,
        "answer_digest": digest_of_answer(text),
        "label": None,
        "by": "",
        "note": "",
    }


def read_labels(text: str, *, at: datetime, by: str = "") -> tuple[Label, ...]:
    """The labels of a sheet; lines whose label is null are passed over.

    `at` is when a line without an `at` of its own was labelled, and `by` who did where it names nobody. DataError with
    each mistake and its line, and for a sheet without a label.
    """
    found: list[tuple[int, Label]] = []
    mistakes: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            record = _read(line)
            wrong = [record] if isinstance(record, str) else list(_mistakes(record, by))
            mistakes += [f"line {number}: {each}" for each in wrong]
            if isinstance(record, dict) and not wrong and record["label"] is not None:
                found.append((number, _label(record, at, by)))
    mistakes += _repeated(found)
    if mistakes or not found:
        raise _wrong(mistakes or ["no line has a label"])
    return tuple(label for _, label in found)


def stale(labels: Sequence[Label], run: EvalRun) -> tuple[str, ...]:
    """Why labels are not about the answers of a run, a sentence for each that is not; empty where all are."""
    texts = {(one.case, one.repeat): digest_of_answer(one.answer.text) for one in run.scored if one.answer}
    unknown = "the label of {0.case!r} (repeat {0.repeat}) by {0.by} is stale: there is no such answer"
    another = "the label of {0.case!r} (repeat {0.repeat}) by {0.by} is stale: it is about another answer's text"
    return tuple(
        (unknown if (label.case, label.repeat) not in texts else another).format(label)
        for label in labels
        if texts.get((label.case, label.repeat)) != label.answer
    )


def labelled(run: EvalRun, labels: Sequence[Label], aspect: str = ASKED) -> dict[tuple[str, int], float]:
    """What people say of each answer of a run, by case and repeat: the mean of those who labelled this very text."""
    said: dict[tuple[str, str], dict[str, float]] = {}
    for label in sorted(labels, key=lambda label: label.at):
        if label.aspect == aspect:
            said.setdefault((label.case, label.answer), {})[label.by] = label.value
    texts = {(one.case, one.repeat): digest_of_answer(one.answer.text) for one in run.scored if one.answer}
    of_run = {where: said.get((where[0], text)) for where, text in texts.items()}
    return {where: fmean(values.values()) for where, values in of_run.items() if values}


def _read(line: str) -> dict[str, Any] | str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return record if isinstance(record, dict) else "a label is an object"


def _mistakes(record: Mapping[str, Any], by: str) -> Iterator[str]:
    known = (*_KEYS, *_FOR_PEOPLE)
    yield from (f"unknown key {key!r}. {near_miss(key, known)}" for key in record if key not in known)
    for key in ("evaluation", "case", "answer", "answer_digest"):
        if not isinstance(record.get(key), str):
            yield f"{key!r} has to be a text"
    if not _is_number(record.get("repeat"), int):
        yield "'repeat' has to be a number from 0 on"
    if "label" not in record or not (record["label"] is None or _is_number(record["label"], int | float, most=1)):
        yield f"'label' is {record.get('label')!r}, and has to be from 0 to 1, or null for none"
    yield from _mistakes_of_label(record, by) if record.get("label") is not None else ()


def _mistakes_of_label(record: Mapping[str, Any], by: str) -> Iterator[str]:
    if not str(record.get("by") or by).strip():
        yield "'by' names nobody"
    if isinstance(record.get("answer"), str) and digest_of_answer(record["answer"]) != record.get("answer_digest"):
        yield "the answer's text was changed: its digest is another one"
    if record.get("at") and not _is_instant(record["at"]):
        yield f"'at' is {record['at']!r}, and has to be an instant such as 2026-03-05T12:00:00+00:00"


def _repeated(found: Sequence[tuple[int, Label]]) -> Iterator[str]:
    counts = Counter((label.evaluation, label.case, label.repeat, label.aspect, label.by) for _, label in found)
    for number, label in found:
        if counts[label.evaluation, label.case, label.repeat, label.aspect, label.by] > 1:
            yield f"line {number}: {label.by} labels {label.case!r} (repeat {label.repeat}) more than once"


def _label(record: Mapping[str, Any], at: datetime, by: str) -> Label:
    return Label(
        evaluation=record["evaluation"],
        case=record["case"],
        repeat=record["repeat"],
        answer=record["answer_digest"],
        value=float(record["label"]),
        by=str(record.get("by") or by),
        at=utc(datetime.fromisoformat(record["at"]) if record.get("at") else at),
        aspect=str(record.get("aspect") or ASKED),
        note=str(record.get("note") or ""),
    )


def _is_instant(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_number(value: Any, kind: Any, most: float = float("inf")) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and 0 <= value <= most


def _wrong(mistakes: list[str]) -> DataError:
    more = len(mistakes) - _SHOWN
    shown = "; ".join(mistakes[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return DataError(
        f"The labels cannot be taken: {shown}",
        expected="the lines of `ops eval label out`, each with a `label` from 0 to 1 or null",
        action="Correct these lines; nothing was kept",
        mistakes=mistakes,
    )
