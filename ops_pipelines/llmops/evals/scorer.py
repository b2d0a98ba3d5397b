"""What scores an answer: a name, a version, and a number from 0 to 1 with its reason.

Three things may come of it. A scorer that has nothing to ask of a case gives None, and the case does not count for it.
One that ought to judge and cannot gives a Score whose value is None: that is NotEvaluated, and never a pass. Else the
value is from 0 (wrong) to 1 (right). The version belongs to the key under which a score is kept, so that a scorer that
judges otherwise by now judges again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ops_pipelines.llmops.answering import Answer, Prepared
from ops_pipelines.llmops.evals.case import Case


@dataclass(frozen=True, slots=True)
class Judged:
    """What a scorer looks at."""

    case: Case
    prepared: Prepared
    answer: Answer


@dataclass(frozen=True, slots=True)
class Score:
    """A value from 0 to 1, or None where it could not be told; `why` says what was missing or wrong, empty for a full 1.

    What is not `lasting` is not kept: the next run asks again. ValueError for a value outside, and for None without why.
    """

    value: float | None
    why: str = ""
    lasting: bool = True

    def __post_init__(self) -> None:
        if self.value is not None and not 0 <= self.value <= 1:
            raise ValueError(f"a score is from 0 to 1, and this one is {self.value}")
        if self.value is None and not self.why:
            raise ValueError("a score that could not be told says why")

    def to_json(self) -> list[Any]:
        """The score as plain JSON, read back by `Score(*record)`."""
        return [self.value, self.why]


class Scorer(Protocol):
    """Whatever scores an answer."""

    @property
    def name(self) -> str:
        """What people and thresholds call it; each once in a run."""

    @property
    def version(self) -> str:
        """Changes with everything that decides its scores."""

    async def score(self, judged: Judged) -> Score | None:
        """The score; None where the case asks nothing of this scorer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A scorer that asks nobody: a plain function of what it looks at, which may run in any thread."""

    name: str
    version: str
    judge: Callable[[Judged], Score | None]

    async def score(self, judged: Judged) -> Score | None:
        """What `judge` says."""
        return self.judge(judged)


def share(good: int, total: int, why: str = "") -> Score:
    """So many of so many as a score, with `why` where some are missing.

    >>> share(1, 2, "one is missing"), share(2, 2, "none is missing")
    (Score(value=0.5, why='one is missing', lasting=True), Score(value=1.0, why='', lasting=True))
    """
    return Score(good / total, "" if good == total else why)
