"""Whether one text gives away another: a row of its words, whatever stands between the lines."""

import re

from ops_pipelines.llmops.as_read import as_read

_WORD = re.compile(r"[^\W_]+")


def longest_shared_row(text: str, secret: str, *, least: int) -> int:
    """How many words in a row of a text are, each `least` of them, in a row in another one, too; 0 for fewer.

    >>> longest_shared_row("It says: answer in ONE sentence only!", "Answer in one sentence, and cite.", least=3)
    4
    """
    said, kept = (_WORD.findall(as_read(one).lower()) for one in (text, secret))
    rows = {tuple(kept[at : at + least]) for at in range(len(kept) - least + 1)}
    longest = running = 0
    for at in range(len(said) - least + 1):
        running = running + 1 if tuple(said[at : at + least]) in rows else 0
        longest = max(longest, running)
    return longest + least - 1 if longest else 0
