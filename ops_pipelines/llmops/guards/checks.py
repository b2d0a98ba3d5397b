"""The checks that a policy can name, each a verdict on one text. That of secrets needs a finder from outside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.as_read import as_read
from ops_pipelines.llmops.groundedness import LEAST, judge_groundedness
from ops_pipelines.llmops.guardrail import CONTEXT, INPUT, OUTPUT, Exchange
from ops_pipelines.llmops.guards.check import Check, Setting, count_of, flag_of, share_of, texts_of
from ops_pipelines.llmops.guards.exfiltration import unexplained
from ops_pipelines.llmops.guards.jailbreak import find_jailbreak
from ops_pipelines.llmops.guards.personal_data import KINDS, find_personal, plain_value
from ops_pipelines.llmops.guards.said_already import longest_shared_row
from ops_pipelines.llmops.hostile_text import scan_text
from ops_pipelines.llmops.passages import cited
from ops_pipelines.llmops.refusal import is_refusal
from ops_pipelines.llmops.sentences import words

Settings = Mapping[str, Any]
_SHOWN = 10


def secrets_check(find: Callable[[str], Sequence[tuple[int, str]]]) -> Check:
    """The check `secrets` by a finder, which gives the line and the kind of each in a text."""

    def judge(text: str, _: Exchange, __: Settings) -> Verdict:
        return _verdict(f"line {line}: {kind}" for line, kind in find(text))

    return Check("secrets", judge)


def _verdict(reasons: Any) -> Verdict:
    found = tuple(reasons)
    return Blocked(found[:_SHOWN], {"findings": len(found)}) if found else Passed()


def _personal_data(text: str, exchange: Exchange, settings: Settings) -> Verdict:
    """What is personal; in an answer what the question holds already is no news to the one who asked."""
    allowed = {plain_value(one) for one in settings["allow"]}
    known = plain_value(exchange.question) if text is exchange.answer else ""
    found = [one for one in find_personal(as_read(text), settings["kinds"]) if one.value not in allowed]
    return _verdict(f"{one.kind} at {one.start}..{one.end}" for one in found if one.value not in known)


def _jailbreak(text: str, _: Exchange, __: Settings) -> Verdict:
    return _verdict(find_jailbreak(text))


def _injection(text: str, _: Exchange, __: Settings) -> Verdict:
    return _verdict(f"{one.kind} at {one.start}..{one.end}: {one.excerpt!r}" for one in scan_text(text))


def _exfiltration(text: str, exchange: Exchange, settings: Settings) -> Verdict:
    quoted = (exchange.question, *(one.text for one in exchange.passages)) if settings["quoted_links"] else ()
    found = unexplained(text, allow=settings["allow"], quoted=quoted)
    return _verdict(f"{'loads' if one.loaded else 'links to'} {one.host or one.address[:60]!r}" for one in found)


def _grounded(text: str, exchange: Exchange, settings: Settings) -> Verdict:
    return judge_groundedness(text, [one.text for one in exchange.passages], least=settings["least"])


def _answered(text: str, _: Exchange, __: Settings) -> Verdict:
    if not text.strip():
        return NotEvaluated("the answer is empty")
    return _verdict(["the answer is a refusal"] if is_refusal(text) else [])


def _citations(text: str, exchange: Exchange, settings: Settings) -> Verdict:
    given = {one.citation for one in exchange.passages}
    strange = [f"cites {one}, which was not given" for one in cited(text) if one not in given]
    bare = settings["required"] and not cited(text) and not is_refusal(text)
    return _verdict([*strange, *(["cites nothing"] if bare else [])])


def _forbidden(text: str, _: Exchange, settings: Settings) -> Verdict:
    """Terms that stand in a text as whole words, in any form of them, and topics of which it has enough words."""
    said = words(as_read(text))
    row, each = f" {' '.join(said)} ", set(said)
    terms = [f"the term {term!r}" for term in settings["terms"] if f" {' '.join(words(as_read(term)))} " in row]
    topics = [
        f"the topic {topic!r}"
        for topic, its in settings["topics"].items()
        if sum(set(words(as_read(one))) <= each for one in its) >= settings["least_words"]
    ]
    return _verdict([*terms, *topics])


def _too_long(text: str, _: Exchange, settings: Settings) -> Verdict:
    most = settings["most_characters"]
    return _verdict([f"{len(text):,} characters, and {most:,} are let through"] if len(text) > most else [])


def _prompt_leak(text: str, exchange: Exchange, settings: Settings) -> Verdict:
    """Words in a row that the instructions have; what a passage or the question has, too, may be said."""
    told = exchange.instructions
    if not told.strip():
        return NotEvaluated("nobody said what the instructions are")
    shared = longest_shared_row(text, told, least=settings["least_words"])
    open_to_all = (exchange.question, settings["may_say"], *(one.text for one in exchange.passages))
    if shared and any(longest_shared_row(text, one, least=shared) for one in open_to_all):
        return Passed()
    return _verdict([f"{shared} words in a row of the instructions"] if shared else [])


def _are_topics(given: Any) -> bool:
    texts = texts_of()
    return isinstance(given, Mapping) and all(
        isinstance(name, str) and texts.is_good(its) for name, its in given.items()
    )


_PERSONAL_KINDS = Setting(
    KINDS, lambda given: texts_of().is_good(given) and set(given) <= set(KINDS), f"some of {', '.join(KINDS)}"
)
_TOPICS = Setting({}, _are_topics, "a mapping of topics, each with a list of texts")
_A_TEXT = Setting("", lambda given: isinstance(given, str), "a text")

PURE_CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        Check("personal_data", _personal_data, settings={"kinds": _PERSONAL_KINDS, "allow": texts_of(())}),
        Check("jailbreak", _jailbreak, (INPUT,)),
        Check("injection", _injection, (INPUT, CONTEXT)),
        Check("exfiltration", _exfiltration, (OUTPUT,), {"allow": texts_of(()), "quoted_links": flag_of(True)}),
        Check("grounded", _grounded, (OUTPUT,), {"least": share_of(LEAST)}),
        Check("answered", _answered, (OUTPUT,)),
        Check("citations", _citations, (OUTPUT,), {"required": flag_of(False)}),
        Check("forbidden", _forbidden, settings={"terms": texts_of(()), "topics": _TOPICS, "least_words": count_of(2)}),
        Check("too_long", _too_long, settings={"most_characters": count_of()}),
        Check("prompt_leak", _prompt_leak, (OUTPUT,), {"least_words": count_of(8), "may_say": _A_TEXT}),
    )
}
"""The checks that need nothing from outside, by name."""
