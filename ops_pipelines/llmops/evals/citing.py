"""Scorers of citations: whether an answer cites what holds it, all of it, and nothing that it never read.

What is counted are documents: a case names the document and not its chunk, which moves with every edit. Answers of a
schema have their citations in its field `citations` or anywhere in their text.
"""

from ops_pipelines.llmops.evals.scorer import Judged, Rule, Score, share
from ops_pipelines.llmops.passages import cited


def cited_documents(judged: Judged) -> tuple[str, ...]:
    """The documents that an answer cites among those that it read, each once."""
    read = {passage.citation: passage.document for passage in judged.answer.passages}
    return tuple(dict.fromkeys(read[citation] for citation in cited(judged.answer.text) if citation in read))


def _precision(judged: Judged) -> Score | None:
    if judged.answer.refused_by or not judged.case.cites or not cited(judged.answer.text):
        return None
    unread, documents = _unread(judged), cited_documents(judged)
    beside = [name for name in documents if name not in judged.case.cites] + unread
    total = len(documents) + len(unread)
    return share(total - len(beside), total, f"it cites {', '.join(beside)}, which the case does not")


def _recall(judged: Judged) -> Score | None:
    if not judged.case.cites:
        return None
    documents = cited_documents(judged)
    missing = [name for name in judged.case.cites if name not in documents]
    total = len(judged.case.cites)
    return share(total - len(missing), total, f"it does not cite {', '.join(missing)}")


def _read(judged: Judged) -> Score | None:
    citations = cited(judged.answer.text)
    if not citations:
        return None
    unread = _unread(judged)
    return share(
        len(citations) - len(unread), len(citations), f"it cites {', '.join(unread)}, which was not found for it"
    )


def _unread(judged: Judged) -> list[str]:
    known = {passage.citation for passage in judged.answer.passages}
    return [citation for citation in cited(judged.answer.text) if citation not in known]


PRECISION = Rule("citation_precision", "1", _precision)
"""The share of the cited documents that the case names; of answers that cite something. A citation of what was not found
for the answer counts against it."""
RECALL = Rule("citation_recall", "1", _recall)
"""The share of the case's documents that the answer cites; of cases that name some."""
READ = Rule("citation_read", "1", _read)
"""The share of the citations that are of passages that the answer was made from: anything below 1 is an invention."""
