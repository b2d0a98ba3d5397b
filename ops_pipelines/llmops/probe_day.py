"""One day of the canary, as it is kept on record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any

from ops_pipelines.core.errors import DataError


@dataclass(frozen=True, slots=True)
class ProbeDay:
    """What the probes scored on one day, by their ids; None for one that got no answer.

    `release` is the digest of the manifest that was asked. `models` and `fingerprints` are all that answers of that day said
    they are of, those that the pin refused included. A probe whose question or scoring changes gets another id.
    """

    day: date
    release: str
    scores: Mapping[str, float | None]
    models: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()

    @property
    def answered(self) -> dict[str, float]:
        """The scores of the probes that got an answer."""
        return {probe: score for probe, score in self.scores.items() if score is not None and isfinite(score)}

    def to_json(self) -> dict[str, Any]:
        """The day as plain JSON, read back by `from_json`."""
        names = {name: list(getattr(self, name)) for name in ("models", "fingerprints")}
        scores = {**dict.fromkeys(self.scores), **self.answered}
        return {"day": self.day.isoformat(), "release": self.release, "scores": scores, **names}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "ProbeDay":
        """The day that `to_json` wrote; DataError for anything else."""
        try:
            read = {name: tuple(record[name]) for name in ("models", "fingerprints")}
            return cls(date.fromisoformat(record["day"]), record["release"], record["scores"], **read)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"A stored day of probes cannot be read: {dict(record)!r}",
                expected="a record written by ProbeDay.to_json",
                action="Leave it out; the baseline is of the days that can be read",
            ) from error
