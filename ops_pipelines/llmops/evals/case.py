"""One question of a golden set, with what a good answer to it says, cites, or leaves out."""

from dataclasses import dataclass

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
