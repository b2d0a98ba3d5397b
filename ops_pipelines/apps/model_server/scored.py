"""One request's answers, stamped with the release that made them, and kept light until the log's own thread writes them."""

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops_pipelines.adapters.served_release import ServedRelease
from ops_pipelines.core.errors import OpsError, SchemaMismatch
from ops_pipelines.mlops.prediction_log import Answer

_WORKER = os.urandom(5).hex()
_COUNT = itertools.count()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of a release: its columns, how many rows, and whose they are."""

    columns: Mapping[str, Sequence[Any]]
    rows: int
    entities: Sequence[Any] | None
    keys: Sequence[Mapping[str, Any]] | None = None
    allow_missing: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """The answers of one request: all of one release, whose first digits stand in every id."""

    release: ServedRelease
    arm: str
    ids: Sequence[str]
    scores: Sequence[float]
    columns: Mapping[str, Sequence[Any]]
    entities: Sequence[Any] | None
    keys: Sequence[Mapping[str, Any]] | None
    asked_at: datetime
    served_at: datetime

    def __len__(self) -> int:
        return len(self.ids)

    def answers(self) -> list[Answer]:
        """A row for the log of each answer."""
        return [self._answer(row) for row in range(len(self.ids))]

    def _answer(self, row: int) -> Answer:
        entity = self.entities[row] if self.entities else None
        return Answer(
            id=self.ids[row],
            system=self.release.system,
            release=self.release.digest,
            arm=self.arm,
            entity=None if entity is None else str(entity),
            asked_at=self.asked_at,
            served_at=self.served_at,
            score=self.scores[row],
            vector=self._vector(row),
            keys=self.keys[row] if self.keys else {},
        )

    def _vector(self, row: int) -> dict[str, Any]:
        """What the model saw, as plain values: an instant is a text to the log."""
        vector = {name: values[row] for name, values in self.columns.items()}
        if self.release.signature.has_instants:
            return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vector.items()}
        return vector


def new_ids(release: ServedRelease, served_at: datetime, rows: int) -> list[str]:
    """As many prediction ids: system, `online`, a part that no other answer has and that sorts by time, and the release."""
    moment = f"{int(served_at.timestamp() * 1000):011x}{_WORKER}"
    return [f"{release.system}/online/{moment}{next(_COUNT):x}/{release.version}" for _ in range(rows)]


def score(release: ServedRelease, arm: str, asked: Asked, *, asked_at: datetime, served_at: datetime) -> Scored:
    """The answers of a request by one release.

    SchemaMismatch that names what is wrong with its columns, and where the model gives no number for a row.
    """
    columns = release.signature.read(asked.columns, rows=asked.rows, allow_missing=asked.allow_missing)
    try:
        scores = release.score(columns)
    except OpsError:
        raise
    except Exception as error:  # whatever the model's library raises for values that it was not fitted on
        raise SchemaMismatch(
            f"The release {release.version} cannot score these rows: {error}",
            expected="values such as it was trained on",
            action="Compare them with the rows that it was trained on",
        ) from error
    if not all(map(math.isfinite, scores)):
        raise SchemaMismatch(
            f"The release {release.version} gives no number for a row",
            expected="features for which its model gives a score",
            action="Look at the rows one by one, and tell whoever owns the model",
        )
    return _stamped(release, arm, asked, scores, columns, asked_at, served_at)


def failed(release: ServedRelease, arm: str, asked: Asked, *, asked_at: datetime, served_at: datetime) -> Scored:
    """What is kept of a release that could not answer a request that another one could: no number for any row."""
    return _stamped(release, arm, asked, [math.nan] * asked.rows, asked.columns, asked_at, served_at)


def _stamped(
    release: ServedRelease,
    arm: str,
    asked: Asked,
    scores: Sequence[float],
    columns: Mapping[str, Sequence[Any]],
    asked_at: datetime,
    served_at: datetime,
) -> Scored:
    ids = new_ids(release, served_at, asked.rows)
    return Scored(release, arm, ids, scores, columns, asked.entities, asked.keys, asked_at, served_at)
