"""Evaluations that were made, and what people said of their answers; appended to, and never rewritten.

What an EvaluationLog guarantees is checked by `ops_pipelines.testing.evaluation_log`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.evals.label import Label
from ops_pipelines.llmops.evals.result import EvalRun


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run with its circumstances: of which system, on which golden set, when. `facts` are plain JSON."""

    system: str
    golden: str
    at: datetime
    run: EvalRun
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The sha256 of what came out, for whom and when."""
        return digest_json([self.system, self.golden, utc(self.at).isoformat(), self.run.digest])


class EvaluationLog(Protocol):
    """Where evaluations are kept."""

    def keep(self, evaluation: Evaluation) -> None:
        """Append an evaluation; one that is there already is left as it is."""

    def evaluations(self, *, system: str | None = None, most: int | None = None) -> Iterator[Evaluation]:
        """The evaluations, the latest first."""

    def find(self, id: str) -> Evaluation | None:
        """The evaluation whose id begins so; None where there is none, DataError where several do."""

    def keep_labels(self, labels: Sequence[Label]) -> None:
        """Append labels, all or none. Of several by one person on one answer, the last one kept is the one that holds."""

    def labels(self, cases: Sequence[str] | None = None) -> tuple[Label, ...]:
        """The labels of some cases, or of all, in the order in which they were kept."""
