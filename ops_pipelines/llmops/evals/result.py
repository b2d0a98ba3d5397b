"""What became of an evaluation: each case's answer with its scores, as values that can be kept and compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.answering import Answer


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer to one case, and its scores by scorer.

    A score of None could not be told, and `why` says so. A scorer that asks nothing of the case is in neither mapping.
    Where `error` is not empty there is no answer, and every score is None.
    """

    case: str
    cluster: str
    kind: str
    repeat: int
    scores: Mapping[str, float | None]
    why: Mapping[str, str]
    answer: Answer | None
    error: str = ""
    question: str = ""

    def to_json(self) -> dict[str, Any]:
        """The answer with its scores as plain JSON, read back by `from_json`."""
        plain = {name: getattr(self, name) for name in ("case", "cluster", "kind", "repeat", "error", "question")}
        answer = self.answer.to_json() if self.answer else None
        return {**plain, "scores": dict(self.scores), "why": dict(self.why), "answer": answer}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Scored":
        """What `to_json` wrote."""
        return cls(**{**record, "answer": Answer.from_json(record["answer"]) if record["answer"] else None})


@dataclass(frozen=True, slots=True)
class EvalRun:
    """An evaluation of one answerer on one set of cases, whose digest is `cases`.

    `asked` counts the answers for which a model was asked in this run, `cached` those that were there before. `scorers`
    has the version of each scorer. `stopped` says why the run asked no further, and is empty for one that went through.
    """

    answerer: str
    cases: str
    scored: tuple[Scored, ...]
    asked: int
    cached: int
    scorers: Mapping[str, str] = field(default_factory=dict)
    stopped: str = ""

    def values(self, score: str) -> dict[str, tuple[float, ...]]:
        """The values of one score by case, one for each repeat that has one; a case without any is left out."""
        found: dict[str, tuple[float, ...]] = {}
        for one in self.scored:
            value = one.scores.get(score)
            if value is not None:
                found[one.case] = (*found.get(one.case, ()), float(value))
        return found

    def clusters(self) -> dict[str, str]:
        """What each case is a draw of."""
        return {one.case: one.cluster for one in self.scored}

    @property
    def errors(self) -> tuple[Scored, ...]:
        """The cases that were not answered."""
        return tuple(one for one in self.scored if one.error)

    @property
    def digest(self) -> str:
        """The sha256 of what came out, whatever was asked or cached on the way."""
        return digest_json([self.answerer, self.cases, dict(self.scorers), [one.to_json() for one in self.scored]])

    def to_json(self) -> dict[str, Any]:
        """The run as plain JSON, read back by `from_json`."""
        plain = {name: getattr(self, name) for name in ("answerer", "cases", "asked", "cached", "stopped")}
        return {**plain, "scorers": dict(self.scorers), "scored": [one.to_json() for one in self.scored]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "EvalRun":
        """The run that `to_json` wrote."""
        return cls(**{**record, "scored": tuple(Scored.from_json(one) for one in record["scored"])})
