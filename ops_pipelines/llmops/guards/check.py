"""A check: what it is called, where it can look, what can be set, and how it judges a text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.core.verdict import Verdict
from ops_pipelines.llmops.guardrail import PLACES, Exchange

MOST_CHARS = 50_000
"""The longest text that is judged. A longer one is NotEvaluated, so that no text takes long and none is half read."""
REQUIRED = object()
"""The default of a setting that a policy has to name."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that a policy can set: its default, which values are good, and these in words."""

    default: Any
    is_good: Callable[[Any], bool]
    expected: str


Judge = Callable[[str, Exchange, Mapping[str, Any]], Verdict]
"""Judges a text (the question, a passage or the answer) of an exchange, with all settings of the check."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name. It may raise: what judges with it is closed then."""

    name: str
    judge: Judge
    places: tuple[str, ...] = PLACES
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def with_defaults(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of the check, those that are given over the defaults."""
        return {**{name: one.default for name, one in self.settings.items()}, **settings}


def texts_of(default: Any = REQUIRED) -> Setting:
    """A setting that is a list of texts."""
    return Setting(default, _are_texts, "a list of texts")


def count_of(default: Any = REQUIRED) -> Setting:
    """A setting that is a whole number above nought."""
    return Setting(default, lambda given: type(given) is int and given > 0, "a whole number above 0")


def share_of(default: Any = REQUIRED) -> Setting:
    """A setting that is a share, 0 to 1."""
    return Setting(default, lambda given: type(given) in (int, float) and 0 <= given <= 1, "a number from 0 to 1")


def flag_of(default: Any = REQUIRED) -> Setting:
    """A setting that is true or false."""
    return Setting(default, lambda given: type(given) is bool, "true or false")


def _are_texts(given: Any) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(one, str) and one.strip() for one in given)
