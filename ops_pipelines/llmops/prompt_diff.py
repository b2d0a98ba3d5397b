"""What changed between two prompts: which parts, how their texts differ, and how many tokens more they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from ops_pipelines.core.fingerprint import canonical_json, short
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.tokens import estimate_tokens

ESTIMATE = "a token for each four characters, values not counted"
"""By which tokens are counted where a prompt is reviewed: no provider's tokenizer is at hand there, and none is a bill."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed, by its path (`parameters.temperature`); None stands for what is not there.

    `lines` are the unified diff of a message's text, empty for anything else.
    """

    path: str
    before: Any
    after: Any
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The change as plain JSON."""
        return {"path": self.path, "before": self.before, "after": self.after, "lines": list(self.lines)}


@dataclass(frozen=True, slots=True)
class PromptDiff:
    """Two prompts and what lies between them. The tokens are those of their fixed text, by the estimate that is named."""

    before: str
    after: str
    changes: tuple[Change, ...]
    tokens_before: int
    tokens_after: int
    estimate: str = ESTIMATE

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that changed, once each."""
        return tuple(dict.fromkeys(change.path.partition(".")[0] for change in self.changes))

    @property
    def more_tokens(self) -> int:
        """How many tokens the second has more than the first; negative where it is shorter."""
        return self.tokens_after - self.tokens_before

    def to_json(self) -> dict[str, Any]:
        """The diff as plain JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "parts": list(self.parts),
            "changes": [change.to_json() for change in self.changes],
            "tokens": {
                "before": self.tokens_before,
                "after": self.tokens_after,
                "more": self.more_tokens,
                "estimate": self.estimate,
            },
        }

    def to_text(self) -> str:
        """The diff for people; a sentence where nothing changed."""
        if not self.changes:
            return f"{short(self.after)}: the same prompt"
        head = f"{short(self.before)} -> {short(self.after)}: {', '.join(self.parts)}"
        tokens = f"tokens: {self.tokens_before} -> {self.tokens_after} ({self.more_tokens:+}; {self.estimate})"
        return "\n".join([head, tokens, *(line for change in self.changes for line in _words(change))])


def diff_prompts(before: Prompt, after: Prompt) -> PromptDiff:
    """What changed from one prompt to another; without a change exactly where their ids are the same."""
    changes = tuple(_changes("", before.to_json(), after.to_json()))
    first, second = (estimate_tokens(prompt.fixed_text()) for prompt in (before, after))
    return PromptDiff(before.id, after.id, changes, first, second)


def _changes(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _changed_keys(path, before, after)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _changed_keys(path, dict(enumerate(before)), dict(enumerate(after)))
    elif canonical_json(before) != canonical_json(after):
        yield Change(path, before, after, _text_lines(path, before, after))


def _changed_keys(path: str, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        here, one, other = f"{path}.{key}".lstrip("."), before.get(key), after.get(key)
        if key in before and key in after:
            yield from _changes(here, one, other)
        else:
            yield Change(here, one, other, _text_lines(here, one, other))


def _text_lines(path: str, before: Any, after: Any) -> tuple[str, ...]:
    first, second = _content(before), _content(after)
    if not path.startswith("messages.") or path.endswith(".role") or first is None or second is None:
        return ()
    return tuple(unified_diff(first.splitlines(), second.splitlines(), "before", "after", lineterm=""))


def _content(value: Any) -> str | None:
    """The text of a message or of its content; empty for a message that is not there."""
    if value is None:
        return ""
    found = value.get("content") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _words(change: Change) -> Iterator[str]:
    if change.lines:
        yield f"{change.path}:"
        yield from change.lines[2:]
    else:
        before, after = (canonical_json(value).decode() for value in (change.before, change.after))
        yield f"{change.path}: {before} -> {after}"
