"""What the sources of a corpus held: their documents, and what of them could not become one."""

from dataclasses import dataclass

from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.llmops.corpus import Document

ERROR, SKIP = "error", "skip"
"""What a problem means: the snapshot is not taken, or it is taken without that document, and this is told."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a source that could not become a document, why, and what that means."""

    document: str
    source: str
    why: str
    policy: str

    def __str__(self) -> str:
        return f"{self.document} {self.why}"


@dataclass(frozen=True, slots=True)
class Collection:
    """The documents of all sources, and the problems."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...] = ()


def judge_collection(collection: Collection) -> Verdict:
    """Blocked by each problem that is an error, the first twenty of them; what was skipped stands in the evidence."""
    errors = [str(problem) for problem in collection.problems if problem.policy == ERROR]
    skipped = [str(problem) for problem in collection.problems if problem.policy == SKIP]
    evidence = {"documents": len(collection.documents), "unreadable": len(errors), "skipped": skipped[:_SHOWN]}
    return Blocked(tuple(errors[:_SHOWN]), evidence) if errors else Passed(evidence)


def judge_whole(collection: Collection) -> Verdict:
    """The finding about what is not in the corpus although a source holds it: Blocked with each that was skipped."""
    skipped = tuple(f"{problem} and was skipped" for problem in collection.problems if problem.policy == SKIP)
    return Blocked(skipped[:_SHOWN], {"skipped": len(skipped)}) if skipped else Passed({"skipped": 0})
