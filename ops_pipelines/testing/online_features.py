"""Online features without a store: what stands behind `FeatureLookup` in tests, in the place of Feast."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops_pipelines.adapters.feast_online import LookedUp
from ops_pipelines.mlops.feature_set import FeatureService


@dataclass(slots=True)
class ScriptedFeatures:
    """Services with the values of each view, by the view's name and its key.

    `broken` is raised at each lookup, which takes `seconds`. A key that is not listed is unknown, and one whose values
    are a text is absent for that reason.
    """

    services: Mapping[str, FeatureService]
    values: Mapping[str, Mapping[Any, Mapping[str, Any] | str]]
    broken: Exception | None = None
    seconds: float = 0.0
    version: int = 0
    asked: list[datetime] = field(default_factory=list)

    def applied_version(self) -> tuple[int, int] | None:
        """What differs after each change of `version`."""
        return self.version, 0

    def reader(self, service_name: str) -> "ScriptedReader":
        """The values of one service; KeyError for another one."""
        return ScriptedReader(self, self.services[service_name])


@dataclass(frozen=True, slots=True)
class ScriptedReader:
    """One service's values, as an OnlineReader gives them."""

    features: ScriptedFeatures
    service: FeatureService

    def look_up(self, rows: Sequence[Mapping[str, Any]], asked_at: datetime) -> LookedUp:
        """Each feature's value a row, and why a view gave a row nothing."""
        time.sleep(self.features.seconds)
        if self.features.broken is not None:
            raise self.features.broken
        self.features.asked.append(asked_at)
        values: dict[str, list[Any]] = {}
        absent: list[dict[str, str]] = [{} for _ in rows]
        for table in self.service.tables:
            known = self.features.values.get(table.name, {})
            found = [known.get(row[table.keys[0]], "unknown") for row in rows]
            for told, why in zip(found, absent, strict=True):
                if isinstance(told, str):
                    why[table.name] = told
            for name in table.features:
                values[name] = [None if isinstance(told, str) else told[name] for told in found]
        return LookedUp(values, absent)
