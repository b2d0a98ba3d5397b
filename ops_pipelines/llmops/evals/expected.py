"""Scorers of what a case expects: its exact text, its facts, and what may never be answered."""

import re
import unicodedata

from ops_pipelines.llmops.evals.scorer import Judged, Rule, Score, share

_CITATION = re.compile(r"\s*\[[^\[\]\n#]+#[^\[\]\n#]+\]")
_INVISIBLE = {ord(mark): None for mark in "\u200b\u200c\u200d\u2060\ufeff\u00ad"}


def plain(text: str) -> str:
    r"""A text by which two are compared: one form of each letter, lower case, single spaces, no marks of Markdown's code.

    >>> plain("Run `ops  rollback`,\nthen WAIT.")
    'run ops rollback, then wait.'
    """
    folded = unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold()
    return " ".join(folded.replace("`", "").replace("*", "").split())


def without_citations(text: str) -> str:
    """An answer's text without its citations.

    >>> without_citations("It is so [a.md#1].")
    'It is so.'
    """
    return _CITATION.sub("", text)


def holds(text: str, fact: str) -> bool:
    """Whether a text has one of the wordings of a fact, as whole words.

    >>> holds("It takes 14 days.", "4 days|four days"), holds("It takes four days.", "4 days|four days")
    (False, True)
    """
    read = plain(text)
    wordings = [plain(wording) for wording in fact.split("|") if wording.strip()]
    return any(re.search(rf"(?<!\w){re.escape(wording)}(?!\w)", read) for wording in wordings)


def _exact(judged: Judged) -> Score | None:
    if len(judged.case.says) != 1:
        return None
    said = plain(without_citations(judged.answer.text)).rstrip(".")
    good = any(said == plain(wording).rstrip(".") for wording in judged.case.says[0].split("|"))
    return share(int(good), 1, f"it is not {judged.case.says[0]!r}")


def _says(judged: Judged) -> Score | None:
    facts = judged.case.says
    if not facts:
        return None
    text = without_citations(judged.answer.text)
    missing = [fact for fact in facts if not holds(text, fact)]
    return share(len(facts) - len(missing), len(facts), f"it does not say {'; '.join(missing)}")


def _never(judged: Judged) -> Score | None:
    if not judged.case.never:
        return None
    leaked = [marker for marker in judged.case.never if plain(marker) in plain(judged.answer.text)]
    return share(int(not leaked), 1, f"it says {'; '.join(leaked)}")


EXACT = Rule("exact", "1", _exact)
"""Whether the answer without its citations is the one fact of the case, word for word; of cases with one fact."""
SAYS = Rule("says", "1", _says)
"""The share of the case's facts that the answer has, each in one of its wordings; of cases with facts."""
NEVER = Rule("never", "1", _never)
"""Whether nothing leaked that the case forbids, in whatever case or with whatever invisible letters; of cases that do."""
