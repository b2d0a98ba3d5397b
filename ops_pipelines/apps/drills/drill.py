"""A drill: a public incident, re-enacted on one machine with no network.

Each has two variants. **Unguarded** is what a team would have written, with the plain library, and must do the harm.
**Guarded** goes through this project's own functions and must refuse with the reason that the drill names. A drill that
cannot fail unguarded proves nothing.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

UNGUARDED, GUARDED = "unguarded", "guarded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one variant came to: whether the harm was done, whether a guard refused, and in whose words.

    `reason` is what the guard itself said, and in an unguarded variant what was found to be harmed. `evidence` is plain
    JSON: the numbers by which both were told.
    """

    harmed: bool
    caught: bool
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


Variant = Callable[[Path], Outcome]
"""Re-enacts the incident in an empty folder of its own."""


@dataclass(frozen=True, slots=True)
class Drill:
    """An incident with its two variants. `names` is what the guard's reason has to say for the drill to hold."""

    number: str
    name: str
    incident: str
    source: str
    names: str
    unguarded: Variant
    guarded: Variant

    def variants(self) -> dict[str, Variant]:
        """Both variants by name, the harm first."""
        return {UNGUARDED: self.unguarded, GUARDED: self.guarded}


@dataclass(frozen=True, slots=True)
class Result:
    """One variant that was run: what it came to and how long it took."""

    drill: Drill
    variant: str
    outcome: Outcome
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the harm was done where nobody guards, or was refused with the named reason where somebody does."""
        if self.variant == UNGUARDED:
            return self.outcome.harmed and not self.outcome.caught
        return self.outcome.caught and not self.outcome.harmed and self.drill.names in self.outcome.reason

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON."""
        return {
            "drill": self.drill.number,
            "variant": self.variant,
            "holds": self.holds,
            "harmed": self.outcome.harmed,
            "caught": self.outcome.caught,
            "reason": self.outcome.reason,
            "evidence": dict(self.outcome.evidence),
            "seconds": round(self.seconds, 2),
        }


def run_drill(drill: Drill) -> Iterator[Result]:
    """Each variant of a drill in a temporary folder of its own; one that breaks has neither harmed nor caught."""
    for name, variant in drill.variants().items():
        began = time.monotonic()
        with TemporaryDirectory(prefix=f"drill-{drill.number}-") as folder:
            outcome = _outcome_of(variant, Path(folder).resolve())
        yield Result(drill, name, outcome, time.monotonic() - began)


def _outcome_of(variant: Variant, folder: Path) -> Outcome:
    try:
        return variant(folder)
    except Exception as error:  # whatever broke, the other drills are still worth running
        return Outcome(harmed=False, caught=False, reason=f"the drill broke: {type(error).__name__}: {error}")
