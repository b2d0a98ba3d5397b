"""How old the online values are, view by view, and whether a feed has stopped.

An age is the instant asked less the instant at which the value became known. A view is judged by its **newest** value:
single keys are quiet for good reasons (an airline that flies on Mondays), and a view of which nothing is new has lost
its feed. How old the others are is measured beside it, for people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable

if TYPE_CHECKING:
    import pyarrow as pa

FRESHNESS = "freshness"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ViewAge:
    """The ages of one view's online values in hours, expired ones included; None where the store holds none.

    `missing` and `expired` are shares of the entities; `limit_hours` None means that the view may be as old as it likes.
    """

    view: str
    entities: int
    missing: float
    expired: float
    newest_hours: float | None
    median_hours: float | None
    p95_hours: float | None
    oldest_hours: float | None
    limit_hours: float | None

    def to_json(self) -> dict[str, Any]:
        """The ages as plain JSON."""
        return asdict(self)


def measure_ages(
    online: "pa.Table", *, service: FeatureService, asked_at: datetime, limits: Mapping[str, float]
) -> tuple[ViewAge, ...]:
    """The ages of each view's values at `asked_at`; `limits` are hours by view, by default the view's time to live.

    `online` holds each table's `known_at`. Raises ConfigError for a limit of a view that the service does not have.
    """
    views = [table.name for table in service.tables]
    for view in limits:
        if view not in views:
            raise ConfigError(
                f"There is a freshness limit for {view!r}, which is no view of the feature service {service.name!r}",
                expected=f"one of {', '.join(views)}",
                action=near_miss(view, views),
                view=view,
            )
    return tuple(_age(table, online, asked_at, limits.get(table.name)) for table in service.tables)


def judge_freshness(ages: Sequence[ViewAge]) -> Verdict:
    """Blocked where all that a view holds is older than its limit, NotEvaluated where one with a limit holds nothing."""
    limited = [age for age in ages if age.limit_hours is not None]
    evidence = {age.view: age.newest_hours for age in limited}
    stale = tuple(
        f"{age.view}: the newest of {age.entities} entities' values is {age.newest_hours:.1f} h old, "
        f"and {age.limit_hours:.1f} h are allowed"
        for age in limited
        if age.newest_hours is not None and age.limit_hours is not None and age.newest_hours > age.limit_hours
    )
    if stale:
        return Blocked(stale, evidence)
    empty = [age.view for age in limited if age.newest_hours is None]
    if empty or not ages:
        return NotEvaluated(f"the online store holds no value of {', '.join(empty) or 'any view'}", evidence)
    return Passed(evidence)


def _age(table: FeatureTable, online: "pa.Table", asked_at: datetime, limit: float | None) -> ViewAge:
    import numpy as np
    import pyarrow as pa

    known = online.column(table.known_at).cast(pa.timestamp("us", tz="UTC"))
    there = known.drop_null().cast(pa.int64()).to_numpy()
    hours = (asked_at.timestamp() - there / 1e6) / 3600
    living = None if table.ttl is None else table.ttl / _HOUR
    shares = len(known) or 1
    newest, median, p95, oldest = (
        (None,) * 4 if not len(hours) else (float(found) for found in np.percentile(hours, [0, 50, 95, 100]))
    )
    return ViewAge(
        view=table.name,
        entities=len(known),
        missing=(len(known) - len(there)) / shares,
        expired=float((hours > living).sum()) / shares if living is not None else 0.0,
        newest_hours=newest,
        median_hours=median,
        p95_hours=p95,
        oldest_hours=oldest,
        limit_hours=living if limit is None else limit,
    )
