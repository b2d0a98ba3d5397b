"""What a server answered, row by row, as it is kept until the week is compacted into the lake.

A log is written by the hot path and read by the window. What it must guarantee (`ops_pipelines.testing.prediction_log`
checks it): what was kept comes back unchanged, in the order in which it was kept; keeping an id again changes nothing;
and once `keep` has returned with `durable`, the answers survive the death of the process and of the machine.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from ops_pipelines.core.clock import Window

LIVE, CANARY, PINNED = "live", "canary", "pinned"
"""By which way a request came to its release: the pointer's, a canary's share, or by its digest."""

Value: TypeAlias = str | int | float | bool | None
"""What a feature or a join key may be in the log; an instant is a text in ISO 8601 there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One row that was scored online: what the model saw, what it said, and by which release.

    `id` is the prediction id, `<system>/online/<unique>/<first digits of the release>`. `entity` is the model's own key
    of the row, None where the caller gave a bare vector without one. `asked_at` is the logical instant that the answer
    is about, which decides its week; `served_at` is the wall clock's. `vector` holds each feature as the model was
    given it: numbers, texts, booleans or None. `score` is NaN where a canary's candidate failed. `keys` are the join
    keys by which features were looked up.
    """

    id: str
    system: str
    release: str
    arm: str
    entity: str | None
    asked_at: datetime
    served_at: datetime
    score: float
    vector: Mapping[str, Value]
    keys: Mapping[str, Value] = field(default_factory=dict)


class PredictionLog(Protocol):
    """Where answers are kept from the request to their compaction."""

    def keep(self, answers: Sequence[Answer], *, durable: bool = False) -> None:
        """Append answers, all or none. With `durable` they are on the disk when this returns.

        SchemaMismatch where one of them can be kept in no log, DataError where this one cannot be written now.
        """

    def answers(self, system: str, window: Window) -> Iterator[Answer]:
        """The answers of a system whose `asked_at` lies in a window, in the order in which they were kept."""

    def find(self, id: str) -> Answer | None:
        """The answer of a prediction id; None where it is not, or no longer, in the log."""

    def forget(self, ids: Collection[str]) -> int:
        """Remove the answers of some ids, which the caller has compacted; how many were there."""
