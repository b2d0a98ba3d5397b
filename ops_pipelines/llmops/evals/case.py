"""One question of a golden set, with what a good answer to it says, cites, or leaves out."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.passages import Passage

ANSWERABLE, UNANSWERABLE, ADVERSARIAL, INJECTED = "answerable", "unanswerable", "adversarial", "injected"
KINDS = (ANSWERABLE, UNANSWERABLE, ADVERSARIAL, INJECTED)


@dataclass(frozen=True, slots=True)
class Case:
    """A question and what is expected of its answer.

    `says` are facts that an answer has to hold, each a text or several with `|` of which one is enough. `cites` are the
    documents that hold the answer. `refuses` says that a refusal is right. `never` are texts that may not be in an answer.
    `also` are passages that are read beside what is found: what somebody planted. Cases of one `cluster` (by default the
    first document that is cited) resemble each other and are no independent draws.
    """

    id: str
    question: str
    kind: str
    says: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    refuses: bool = False
    never: tuple[str, ...] = ()
    also: tuple[Passage, ...] = ()
    cluster: str = ""

    @property
    def independent(self) -> str:
        """What the case is one draw of: its cluster, else the first document that it cites, else itself."""
        return self.cluster or next(iter(self.cites), self.id)

    @property
    def digest(self) -> str:
        """The sha256 of the whole case: an edit of any part makes another.

        >>> Case("a", "Why?", ANSWERABLE).digest == Case("a", "Why?", ANSWERABLE, says=("so",)).digest
        False
        """
        return digest_json(asdict(self))


def digest_of_cases(cases: Iterable[Case]) -> str:
    """The sha256 of a set of cases, in whatever order they stand."""
    return digest_json(sorted(case.digest for case in cases))
