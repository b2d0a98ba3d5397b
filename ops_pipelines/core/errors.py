"""The one tree of errors.

    OpsError
    ├── ConfigError          a setting, a YAML key or an import path that cannot be used
    ├── DataError            data that is missing, unreadable or not what was declared
    │   ├── SchemaMismatch   a column that is missing, renamed or of another type
    │   └── NoAcceptedData   a partition that was never written, or whose last write was refused
    ├── TrainingError        a team's training function that raised, or returned the wrong thing
    ├── ArtefactError        a stored artefact whose bytes are not those of its digest
    ├── NotAllowed           an action that the one who asks for it was not granted
    └── ReleaseError         a release that cannot be found, promoted or rolled back
        ├── NotPromotable    the gate said no, could not tell, or judged something else
        └── LostRace         somebody else moved the pointer first

A message has three parts: what was wrong with which thing, what was expected, what to do next. The facts behind it are
attributes (`error.facts`), so that a program need not parse the sentence.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class OpsError(Exception):
    """What was wrong with which thing, what was expected, and what to do next."""

    def __init__(self, wrong: str, *, expected: str, action: str, **facts: object) -> None:
        self.wrong, self.expected, self.action = wrong, expected, action
        self.facts = facts
        super().__init__(f"{wrong}. Expected: {expected}. {action}{'' if action.endswith(('.', '?')) else '.'}")


class ConfigError(OpsError):
    """A setting, a YAML key or an import path that cannot be used."""


class DataError(OpsError):
    """Data that is missing, unreadable or not what was declared."""


class SchemaMismatch(DataError):
    """A column that is missing, renamed or of another type."""


class NoAcceptedData(DataError):
    """A partition that was never written, or whose last write was refused."""


class TrainingError(OpsError):
    """A team's training function that raised, or returned the wrong thing."""


class ArtefactError(OpsError):
    """A stored artefact whose bytes are not those of its digest."""


class NotAllowed(OpsError):
    """An action that the one who asks for it was not granted."""


class ReleaseError(OpsError):
    """A release that cannot be found, promoted or rolled back."""


class NotPromotable(ReleaseError):
    """The gate said no, could not tell, or judged something else."""


class LostRace(ReleaseError):
    """Somebody else moved the pointer first."""


def near_miss(name: str, known: Iterable[str]) -> str:
    """A question that names the closest known name, or a sentence with the known names where none is close.

    >>> near_miss("carier", ["carrier", "origin"])
    "Did you mean 'carrier'?"
    >>> near_miss("zzz", ["carrier", "origin"])
    'Known: carrier, origin.'
    >>> near_miss("zzz", [])
    'None is known.'
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}." if names else "None is known."


def check_settings(rule: object, section: str, **allowed: tuple[bool, str]) -> None:
    """Raises ConfigError for the first setting of a rule that is not good: (good, what is expected) by its name.

    `section` is the key in YAML under which the rule's settings stand.
    """
    for name, (good, expected) in allowed.items():
        if not good:
            raise ConfigError(
                f"{name} under `{section}` is {getattr(rule, name)}",
                expected=expected,
                action=f"Set {name} under `{section}` in the YAML",
                setting=name,
            )
