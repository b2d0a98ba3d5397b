"""One service's values from the online store, those that have expired or come from the future left out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError, SchemaMismatch, near_miss
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable, earliest_needed

if TYPE_CHECKING:
    import feast
    import pyarrow as pa
    from feast.online_response import OnlineResponse


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Each feature's value a row, and for each row the views that gave it nothing, with why."""

    values: Mapping[str, Sequence[Any]]
    absent: Sequence[Mapping[str, str]]


class OnlineReader:
    """One service's online values, the registry in memory: reading the registry takes ten times as long as a lookup."""

    def __init__(self, store: "feast.FeatureStore", service: FeatureService) -> None:
        self._store = store
        # A refresh that was killed leaves its view marked as being loaded, and Feast would not read it any more.
        store.registry.serve_features_while_materializing = True
        self._definition = store.get_feature_service(service.name)
        self.service = service
        used = {key for table in service.tables for key in table.keys}
        self._blank = {
            entity.join_key: "" if entity.value_type.name == "STRING" else 0
            for entity in store.list_entities()
            if entity.join_key in used
        }

    def read(self, rows: Sequence[Mapping[str, Any]], asked_at: datetime) -> list[dict[str, Any]]:
        """For each row of join keys, in order, each feature as known at `asked_at`; DataError where a key is absent."""
        if not rows:
            return []
        served, _ = self._served(rows, asked_at)
        return [dict(zip(served, vector, strict=True)) for vector in zip(*served.values(), strict=True)]

    def look_up(self, rows: Sequence[Mapping[str, Any]], asked_at: datetime) -> LookedUp:
        """What `read` gives, column by column, and why a view gave nothing: unknown, expired, or known only later.

        A row whose key is None has asked for nothing of that view, which is then not among the absent ones.
        """
        served, known = self._served(rows, asked_at)
        absent: list[dict[str, str]] = [{} for _ in rows]
        for table in self.service.tables:
            for row, at, found in zip(rows, known[table.name], absent, strict=True):
                why = _why_absent(table, at, asked_at)
                if why and all(row[key] is not None for key in table.keys):
                    found[table.name] = why
        return LookedUp(served, absent)

    def vectors(self, rows: Sequence[Mapping[str, Any]], asked_at: datetime) -> "pa.Table":
        """What `read` gives, as one table with each view's `FeatureTable.known_at` beside its features.

        The instant is that of the value that the store holds, served or not, cut off to whole seconds as Feast keeps it;
        missing where the store holds none.
        """
        import pyarrow as pa

        served, known = self._served(rows, asked_at) if rows else ({name: [] for name in self.service.features}, {})
        instants = {
            table.known_at: pa.array(known.get(table.name, []), pa.int64()).cast(pa.timestamp("s", tz="UTC"))
            for table in self.service.tables
        }
        return pa.table({name: pa.array(values) for name, values in served.items()} | instants)

    def _served(
        self, rows: Sequence[Mapping[str, Any]], asked_at: datetime
    ) -> tuple[dict[str, list[Any]], dict[str, list[int | None]]]:
        """The values of each feature, and for each view when what the store holds became known, in seconds since 1970."""
        response = self._store.get_online_features(self._definition, self._columns(rows))
        values = response.to_dict()
        known = _known_at(response, self.service)
        served: dict[str, list[Any]] = {}
        for table in self.service.tables:
            named = [all(row[key] is not None for key in table.keys) for row in rows]
            # A missing key was looked up as a blank, and what lies under a blank is nobody's.
            known[table.name] = [at if one else None for at, one in zip(known[table.name], named, strict=True)]
            low, high = _span(table, asked_at)
            counts = [at is not None and low <= at <= high for at in known[table.name]]
            for feature in table.features:
                served[feature] = [value if yes else None for value, yes in zip(values[feature], counts, strict=True)]
        return served, known

    def _columns(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """The join keys, column by column, with a blank for a missing one, which Feast cannot look up."""
        for row in rows:
            for key, blank in self._blank.items():
                if key not in row:
                    raise DataError(
                        f"A row to score has no {key!r}, which the feature service {self.service.name!r} joins on",
                        expected=f"the keys {', '.join(self._blank)}",
                        action=near_miss(key, row),
                        column=key,
                    )
                _check_key(key, row[key], blank)
        return {key: [blank if row[key] is None else row[key] for row in rows] for key, blank in self._blank.items()}


def _check_key(key: str, value: Any, blank: str | int) -> None:
    """Raises SchemaMismatch for a key of another kind than its entity's, which Feast would not name."""
    if value is None or (type(value) is type(blank) and not (isinstance(value, int) and abs(value) >= 2**63)):
        return
    raise SchemaMismatch(
        f"The key {key!r} is {repr(value)[:60]}",
        expected="a text" if isinstance(blank, str) else "a whole number",
        action="Send the key as its entity is declared in feature_repo/",
        field=key,
    )


def _known_at(response: "OnlineResponse", service: FeatureService) -> dict[str, list[int | None]]:
    """When the values of each view became known, once a view: `to_dict` would say it for each feature."""
    from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

    found = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
    columns = {table.name: found[table.features[0]] for table in service.tables}
    return {
        name: [
            # Feast gives 1970 for no value, and a value may be as old as that.
            at.seconds if at.seconds or status != FieldStatus.NOT_FOUND else None
            for at, status in zip(column.event_timestamps, column.statuses, strict=True)
        ]
        for name, column in columns.items()
    }


def _why_absent(table: FeatureTable, at: int | None, asked_at: datetime) -> str:
    """Why a value of a view does not count; empty where it does."""
    if at is None:
        return "unknown"
    low, high = _span(table, asked_at)
    if low <= at <= high:
        return ""
    known = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"expired: known at {known}, and counts for {table.ttl}" if at < low else f"not yet known: it is of {known}"


def _span(table: FeatureTable, asked_at: datetime) -> tuple[float, float]:
    """From when to when a value that counts at `asked_at` became known, both included, in seconds since 1970."""
    since = earliest_needed(table, asked_at)
    return since.timestamp() if since else -math.inf, asked_at.timestamp()
