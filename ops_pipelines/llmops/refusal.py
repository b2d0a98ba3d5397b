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
_SOFTLY = (
    r"(?:(?:in good conscience|in any way|directly|currently|really|just|simply|ever|also|therefore|personally|to),?\s+)"
    r"{0,3}"
)
_DOES = (
    r"(?:accept|address|advise|aid|answer|assist|comply|condone|confirm|continue|cooperate|create|describe|disclose|discuss|"
    r"draft|encourage|endorse|engage|explain|facilitate|fulfil+|generate|give|guide|help|instruct|offer|participate|perform|"
    r"produce|promote|provide|recommend|respond|reveal|satisfy|say|share|speculate|suggest|supply|support|teach|tell|write|"
    r"do (?:that|this|so)|make|access|verify|predict|find|determine|see)"
)
_NEVER_MIND = r"(?!\s+(?:wait|stress|emphasi[sz]e|overstate|but\b|\w+\s+enough\b)|\s+but\b)"
_UNABLE = (
    r"(?:not (?:able|allowed|permitted|going|willing|comfortable|programmed|designed|equipped|in a position|authori[sz]ed)|"
    r"unable|incapable|uncomfortable|prohibited from)"
)
_UNWILLING = (
    r"(?:can(?:'t|not| not)|could(?:n't| not)|won't|will not|would(?:n't| not)|must (?:not|decline|refuse)|shall not|"
    rf"(?:'m|am|was) {_UNABLE}|(?:do not|don't) (?:feel comfortable|have the (?:ability|capability|capacity)|"
    r"think I (?:can|should)|want to)|(?:have|need|am obliged) to (?:decline|refuse)|respectfully (?:decline|refuse)|"
    r"decline|refuse)"
)
_SELF = r"\b(?:I|we)\s?"
_ACTS = re.compile(
    rf"{_SELF}(?:\w+ly\s+)?{_UNWILLING}\s*(?:to\s+|with\s+)?{_SOFTLY}(?:be able to\s+)?"
    rf"{_DOES}(?:ing|e?s)?\b{_NEVER_MIND}",
    re.IGNORECASE,
)
"""Someone says of themselves that they will not, or cannot, do what a request asks for."""
_DECLINES = re.compile(
    rf"{_SELF}(?:must|have to|need to|respectfully|politely|will have to)?\s*(?:respectfully\s+|politely\s+)?"
    r"(?:decline|refuse)\b",
    re.IGNORECASE,
)
_GREETS = r"^\W{0,9}(?:(?:unfortunately|oh|hello|hi|well|thank you[^,.]{0,40}),?\s+)?"
_SORRY = (
    r"(?:(?:I'm|I am|we're|we are)\s+(?:\w+\s+)?sorry|my apologies|(?:I|we)\s+(?:\w+\s+)?apologi[sz]e|sorry|apologies|"
    r"I regret)"
)
_PITY = r"[^.!?\n]{0,30}\b(?:hear|learn|loss|feeling|that happened)\b"
_APOLOGY = re.compile(
    rf"{_GREETS}{_SORRY}(?!{_PITY})[^.!?\n]{{0,60}}?(?:,|\.|;|:|-)?\s+"
    r"(?:but|however|(?:as an?|I|we)\b[^.\n]{0,60}(?:not|n't|unable))\b",
    re.IGNORECASE,
)
_RULES = r"(?:guidelines?|polic(?:y|ies)|principles?|programming|ethic\w*|values|terms|rules|standards|safety)"
_FORBIDDEN = (
    r"(?:not\s+(?:\w+\s+){0,2}?(?:appropriate|acceptable|ethical|permissible|okay|ok|right|legal|advisable|"
    r"allowed)|inappropriate|unethical|illegal|unacceptable|harmful|never (?:okay|acceptable|appropriate))"
)
_PRINCIPLE = re.compile(
    rf"\b(?:against|violat\w+|contrary to|not (?:in line|aligned|compatible) with|conflicts? with)\s+"
    rf"(?:\w+\s+){{0,4}}?{_RULES}\b|"
    r"\b(?:it(?:'s| is| would be)|this is|that(?:'s| is)|that would be)\s+"
    r"(?:(?:also|generally|never|highly|simply|both|morally)\s+){0,2}"
    rf"{_FORBIDDEN}\b[^.\n]{{0,60}}\b(?:to|for me|and)\b|"
    r"\b(?:request|question|prompt|content)\s+(?:is|contains|involves|appears to be)\s+"
    r"(?:\w+\s+){0,3}?(?:inappropriate|harmful|illegal|unethical|offensive)\b",
    re.IGNORECASE,
)
_SOURCES = (
    r"(?:passages?|documents?|documentation|context|sources?|runbooks?|articles?|texts?|information|knowledge base|"
    r"materials?|manuals?)"
)
_HOLD = (
    r"(?:answer|contain|cover|say|mention|include|provide|specify|address|state|hold|describe|discuss|available|enough|"
    r"sufficient|information|tell)"
)
_KNOWN = r"(?:information|answer|mention|evidence|details|documents?|passages?)"
_LACKS = re.compile(
    rf"\b{_SOURCES}\b[^.\n]{{0,40}}\b(?:do(?:es)? not|don't|doesn't|did not|didn't|has no|have no|cannot|can't|is not|isn't)"
    rf"\b[^.\n]{{0,20}}\b{_HOLD}|"
    r"\b(?:I|we)\s+(?:(?:do not|don't)\s+"
    r"(?:know|have\s+(?:\w+\s+){0,3}?(?:information|access|knowledge|data|answer|details|context))|"
    r"(?:could not|couldn't|cannot|can't|did not|didn't) find|have no (?:information|knowledge|answer|access|way))\b|"
    rf"\b(?:there is|there's|there are|found) (?:no|not enough|insufficient) (?:\w+\s+){{0,2}}?{_KNOWN}\b|"
    rf"\b{_SOURCES}\b[^.\n]{{0,20}}\b(?:say|says|contain|contains|hold|holds|have|has|mention|mentions) nothing\b|"
    rf"\bno {_SOURCES}\s+(?:\w+\s+)?{_HOLD}s?\b|\bnothing in (?:\w+\s+)?{_SOURCES}|"
    rf"\b(?:outside|beyond)\b[^.\n]{{0,20}}{_SOURCES}\b|"
    rf"\b(?:no|none of the) {_SOURCES}\b|"
    r"\b(?:is not|isn't|are not|aren't) (?:covered|mentioned|described|documented|addressed|answered|specified|stated)\b|"
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
