"""One service's values from the online store, those that have expired or come from the future left out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError, near_miss
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable, earliest_needed

if TYPE_CHECKING:
    import feast


class OnlineReader:
    """One service's online values, the registry in memory: reading the registry takes ten times as long as a lookup."""

    def __init__(self, store: "feast.FeatureStore", service: FeatureService) -> None:
        self._store = store
        # A refresh that was killed leaves its view marked as being loaded, and Feast would not read it any more.
        store.registry.serve_features_while_materializing = True
        self._definition = store.get_feature_service(service.name)
        self._service = service
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
        response = self._store.get_online_features(self._definition, self._columns(rows))
        columns = response.to_dict(include_event_timestamps=True)
        return [self._row(columns, position, row, asked_at) for position, row in enumerate(rows)]

    def _row(
        self, columns: Mapping[str, list[Any]], position: int, row: Mapping[str, Any], asked_at: datetime
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for table in self._service.tables:
            named = all(row[key] is not None for key in table.keys)
            for feature in table.features:
                known = columns[f"{feature}__ts"][position]
                found[feature] = columns[feature][position] if named and _counts(table, known, asked_at) else None
        return found

    def _columns(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """The join keys, column by column, with a blank for a missing one, which Feast cannot look up."""
        for row in rows:
            for key in self._blank:
                if key not in row:
                    raise DataError(
                        f"A row to score has no {key!r}, which the feature service {self._service.name!r} joins on",
                        expected=f"the keys {', '.join(self._blank)}",
                        action=near_miss(key, row),
                        column=key,
                    )
        return {key: [blank if row[key] is None else row[key] for row in rows] for key, blank in self._blank.items()}


def _counts(table: FeatureTable, seconds: int, asked_at: datetime) -> bool:
    """Whether a value that became known then is neither expired nor from the future; Feast gives 0 for no value."""
    known = datetime.fromtimestamp(seconds, tz=UTC)
    since = earliest_needed(table, asked_at)
    return known <= asked_at and (since is None or known >= since)
