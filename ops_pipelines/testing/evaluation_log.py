"""The fake of `llmops.evals.log.EvaluationLog`, and the conformance suite that the fake and every adapter run.

A team that writes a log of its own subclasses the suite and gives it a fixture named `log`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.answering import Answer
from ops_pipelines.llmops.evals.case import ANSWERABLE
from ops_pipelines.llmops.evals.label import Label, digest_of_answer
from ops_pipelines.llmops.evals.log import Evaluation, EvaluationLog
from ops_pipelines.llmops.evals.result import EvalRun, Scored
from ops_pipelines.llmops.passages import Passage

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


class MemoryEvaluationLog:
    """An EvaluationLog that forgets with its process."""

    def __init__(self) -> None:
        self._evaluations: dict[str, Evaluation] = {}
        self._labels: list[Label] = []

    def keep(self, evaluation: Evaluation) -> None:
        self._evaluations.setdefault(evaluation.id, evaluation)

    def evaluations(self, *, system: str | None = None, most: int | None = None) -> Iterator[Evaluation]:
        kept = reversed(self._evaluations.values())
        latest = sorted(kept, key=lambda one: one.at, reverse=True)
        yield from [one for one in latest if system in (None, one.system)][:most]

    def find(self, id: str) -> Evaluation | None:
        found = [one for key, one in self._evaluations.items() if id and key.startswith(id)]
        if len(found) > 1:
            raise DataError(f"Several begin with {id!r}", expected="more digits", action="Write more of it")
        return found[0] if found else None

    def keep_labels(self, labels: Sequence[Label]) -> None:
        self._labels += labels

    def labels(self, cases: Sequence[str] | None = None) -> tuple[Label, ...]:
        return tuple(label for label in self._labels if cases is None or label.case in cases)


def evaluation_of(*texts: str, at: datetime = MONDAY, **changes: Any) -> Evaluation:
    """An evaluation with an answer of each text to the cases `c0`, `c1`, ...; `changes` are fields of it."""
    passages = (Passage("a.md", "1", "It is so."),)
    scored = tuple(
        Scored(
            case=f"c{number}",
            cluster="a.md",
            kind=ANSWERABLE,
            repeat=0,
            scores={"says": 1.0, "judge": None},
            why={"judge": "nobody answered"},
            answer=Answer(f"a{number}", text, passages),
            question=f"Question {number}?",
        )
        for number, text in enumerate(texts or ("naïve ☂",))
    )
    run = EvalRun("ab" * 32, "cd" * 32, scored, len(scored), 0, {"says": "1", "judge": "1"})
    return replace(Evaluation("runbook_answers", "runbook_answers", at, run, {"commit": "abc"}), **changes)


def label_of(evaluation: Evaluation, case: str = "c0", value: float = 1.0, **changes: Any) -> Label:
    """A label of the answer to a case of an evaluation; `changes` are fields of it."""
    answer = next(one.answer for one in evaluation.run.scored if one.case == case)
    text = answer.text if answer else ""
    return replace(Label(evaluation.id, case, 0, digest_of_answer(text), value, "ada", MONDAY), **changes)


class EvaluationLogConformance:
    """What every EvaluationLog guarantees, as tests of the fixture `log`."""

    def test_returns_what_was_kept_unchanged(self, log: EvaluationLog) -> None:
        kept = evaluation_of()
        log.keep(kept)
        assert log.find(kept.id) == log.find(kept.id[:12]) == kept
        assert list(log.evaluations()) == [kept]

    def test_keeping_it_again_changes_nothing(self, log: EvaluationLog) -> None:
        log.keep(evaluation_of())
        log.keep(evaluation_of(facts={"commit": "other"}))
        assert [one.facts for one in log.evaluations()] == [{"commit": "abc"}]

    def test_the_latest_come_first_and_as_many_as_are_wanted(self, log: EvaluationLog) -> None:
        for days in (1, 3, 2):
            log.keep(evaluation_of(at=MONDAY + timedelta(days=days)))
        assert [one.at.day for one in log.evaluations(most=2)] == [5, 4]

    def test_systems_are_kept_apart_where_one_is_named(self, log: EvaluationLog) -> None:
        log.keep(evaluation_of())
        log.keep(evaluation_of(system="desk"))
        assert [one.system for one in log.evaluations(system="desk")] == ["desk"]

    def test_what_nobody_kept_is_not_found(self, log: EvaluationLog) -> None:
        assert (log.find("ab"), list(log.evaluations()), log.labels()) == (None, [], ())

    def test_too_few_digits_of_an_id_are_an_error_and_none_are_nothing(self, log: EvaluationLog) -> None:
        for days in range(17):
            log.keep(evaluation_of(at=MONDAY + timedelta(days=days)))
        ids = [one.id[0] for one in log.evaluations()]
        twice = next(digit for digit in ids if ids.count(digit) > 1)
        with pytest.raises(DataError, match="Several"):
            log.find(twice)
        assert log.find("") is None

    def test_labels_come_back_unchanged_in_their_order_and_by_case(self, log: EvaluationLog) -> None:
        made = evaluation_of("one", "two")
        labels = [label_of(made, "c1", 0.25, note="naïve ☂"), label_of(made), label_of(made, value=0.0, by="bo")]
        log.keep_labels(labels[:2])
        log.keep_labels(labels[2:])
        assert log.labels() == tuple(labels)
        assert log.labels(["c1"]) == tuple(labels[:1])
        assert log.labels([]) == ()
