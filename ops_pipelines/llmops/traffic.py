"""Last week's traffic as the cases of a projected cost: what was really asked, with what was found, and how often."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any

from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.llmops.answer_log import Answered
from ops_pipelines.llmops.passages import Passage, render_passages
from ops_pipelines.llmops.projected_cost import AskedCase

MOST_CASES = 1_000
"""How many different questions are projected at most; of more, as many of them are taken as a fair sample."""


def values_of(question: str, passages: Sequence[Passage]) -> dict[str, Any]:
    """A question and its passages as the values of a prompt."""
    return {"question": question, "passages": render_passages(passages)}


def cases_of_traffic(answers: Iterable[Answered], *, most: int = MOST_CASES) -> list[AskedCase]:
    """A case for each question with its passages that a model answered, weighted by how often it was asked.

    The length of an answer is the average of those that were recorded. Of more than `most` cases those of the smallest
    digests are taken, which knows nothing of what they cost.
    """
    groups: dict[str, list[Answered]] = {}
    for one in answers:
        if one.answer.usage is not None:
            groups.setdefault(digest_json(_asked(one)), []).append(one)
    return [_case(digest, groups[digest]) for digest in sorted(groups)[:most]]


def _asked(one: Answered) -> Mapping[str, Any]:
    return values_of(one.question, one.answer.passages)


def _case(digest: str, group: Sequence[Answered]) -> AskedCase:
    lengths = [one.answer.usage.output_tokens for one in group if one.answer.usage]
    return AskedCase(short(digest), _asked(group[0]), float(len(group)), ceil(sum(lengths) / len(lengths)))
