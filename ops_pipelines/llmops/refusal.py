"""Whether a text declines what it was asked, wholly or in part.

A refusal is a speech act, and it has few forms: someone cannot or will not do what a request asks for, an apology that goes
on with `but`, a rule or a principle that is named as the reason, or sources that do not hold the answer. The last two count
near the beginning alone, since there they are the answer; further on they are often its subject. What stands in quotes is
somebody else's word, and `I can't wait` or `I cannot recommend it enough` declines nothing.
"""

import re

from ops_pipelines.llmops.as_read import as_read
from ops_pipelines.llmops.sentences import split_sentences

OPENING, READ_CHARS = 3, 20_000
"""How many sentences are the beginning, and how much of a text is read."""
_QUOTED = re.compile(r"\"[^\"\n]{0,400}\"")
_SOFTLY = r"(?:(?:in good conscience|in any way|directly|currently|really|just|simply|ever|also|therefore|personally|to),?\s+){0,3}"
_DOES = (
    r"(?:accept|address|advise|aid|answer|assist|comply|condone|confirm|continue|cooperate|create|describe|disclose|discuss|"
    r"draft|encourage|endorse|engage|explain|facilitate|fulfil+|generate|give|guide|help|instruct|offer|participate|perform|"
    r"produce|promote|provide|recommend|respond|reveal|satisfy|say|share|speculate|suggest|supply|support|teach|tell|write|"
    r"do (?:that|this|so)|make|access|verify|predict|find|determine|see)"
)
_NEVER_MIND = r"(?!\s+(?:wait|stress|emphasi[sz]e|overstate|but\b|\w+\s+enough\b)|\s+but\b)"
_UNWILLING = (
    r"(?:can(?:'t|not| not)|could(?:n't| not)|won't|will not|would(?:n't| not)|must (?:not|decline|refuse)|shall not|"
    r"(?:'m|am|was) (?:not (?:able|allowed|permitted|going|willing|comfortable|programmed|designed|equipped|in a position|authori[sz]ed)|"
    r"unable|incapable|uncomfortable|prohibited from)|(?:do not|don't) (?:feel comfortable|have the (?:ability|capability|capacity)|"
    r"think I (?:can|should)|want to)|(?:have|need|am obliged) to (?:decline|refuse)|respectfully (?:decline|refuse)|decline|refuse)"
)
_SELF = r"\b(?:I|we)\s?"
_ACTS = re.compile(
    rf"{_SELF}(?:\w+ly\s+)?{_UNWILLING}\s*(?:to\s+|with\s+)?{_SOFTLY}(?:be able to\s+)?{_DOES}(?:ing|e?s)?\b{_NEVER_MIND}", re.IGNORECASE
)
"""Someone says of themselves that they will not, or cannot, do what a request asks for."""
_DECLINES = re.compile(
    rf"{_SELF}(?:must|have to|need to|respectfully|politely|will have to)?\s*(?:respectfully\s+|politely\s+)?(?:decline|refuse)\b", re.IGNORECASE
)
_APOLOGY = re.compile(
    r"^\W{0,9}(?:(?:unfortunately|oh|hello|hi|well|thank you[^,.]{0,40}),?\s+)?"
    r"(?:(?:I'm|I am|we're|we are)\s+(?:\w+\s+)?sorry|my apologies|(?:I|we)\s+(?:\w+\s+)?apologi[sz]e|sorry|apologies|I regret)"
    r"(?![^.!?\n]{0,30}\b(?:hear|learn|loss|feeling|that happened)\b)[^.!?\n]{0,60}?(?:,|\.|;|:|-)?\s+(?:but|however|(?:as an?|I|we)\b[^.\n]{0,60}(?:not|n't|unable))\b",
    re.IGNORECASE,
)
_RULES = r"(?:guidelines?|polic(?:y|ies)|principles?|programming|ethic\w*|values|terms|rules|standards|safety)"
_PRINCIPLE = re.compile(
    rf"\b(?:against|violat\w+|contrary to|not (?:in line|aligned|compatible) with|conflicts? with)\s+(?:\w+\s+){{0,4}}?{_RULES}\b|"
    r"\b(?:it(?:'s| is| would be)|this is|that(?:'s| is)|that would be)\s+(?:(?:also|generally|never|highly|simply|both|morally)\s+){0,2}"
    r"(?:not\s+(?:\w+\s+){0,2}?(?:appropriate|acceptable|ethical|possible|permissible|okay|ok|right|legal|advisable|allowed)|"
    r"inappropriate|unethical|illegal|unacceptable|harmful|never (?:okay|acceptable|appropriate))\b[^.\n]{0,60}\b(?:to|for me|and)\b|"
    r"\b(?:request|question|prompt|content)\s+(?:is|contains|involves|appears to be)\s+(?:\w+\s+){0,3}?(?:inappropriate|harmful|illegal|unethical|offensive)\b",
    re.IGNORECASE,
)
_LACKS = re.compile(
    r"\b(?:passages?|documents?|documentation|context|sources?|runbooks?|articles?|texts?|information|knowledge base|materials?|manuals?)\b[^.\n]{0,40}"
    r"\b(?:do(?:es)? not|don't|doesn't|did not|didn't|has no|have no|cannot|can't|is not|isn't)\b[^.\n]{0,20}"
    r"\b(?:answer|contain|cover|say|mention|include|provide|specify|address|state|hold|describe|discuss|available|enough|sufficient|information|tell)|"
    r"\b(?:I|we)\s+(?:(?:do not|don't)\s+(?:know|have\s+(?:\w+\s+){0,3}?(?:information|access|knowledge|data|answer|details|context))|"
    r"(?:could not|couldn't|cannot|can't|did not|didn't) find|have no (?:information|knowledge|answer|access|way))\b|"
    r"\b(?:there is|there's|there are|found) (?:no|not enough|insufficient) (?:\w+\s+){0,2}?(?:information|answer|mention|evidence|details|documents?|passages?)\b|"
    r"\bnot (?:enough|sufficient) (?:information|context)\b",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a text declines to do what it was asked, or a part of it; False for an empty one.

    >>> [is_refusal(text) for text in ("I'm sorry, but I can't help with that.", "I can't wait to help you!")]
    [True, False]
    """
    sentences = [each.text for each in split_sentences(_own_words(as_read(text[:READ_CHARS])))]
    opening = sentences[:OPENING]
    declines = any(_ACTS.search(one) or _DECLINES.search(one) for one in sentences)
    return declines or any(form.search(one) for one in opening for form in (_APOLOGY, _PRINCIPLE, _LACKS))


def _own_words(text: str) -> str:
    """The text without what it quotes, unless it is one quotation."""
    return _QUOTED.sub("", text) if _QUOTED.sub("", text).strip(" .\n") else text
