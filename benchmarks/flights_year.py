"""The year of flights as the platform would have it: each flight's features as known when asked, and its label.

The project's own loaders, declarations, feature views and join make it, outside Dagster: weekly Parquet in a folder that
the caller throws away, and one join over the whole year. A value is joined as of the instant asked, so a week's rows are
those that the platform joins for that week alone.
"""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.scored_year import WEEK, Recipe
from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.project import find_project
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.mlops.dataset import DatasetSpec, conform, declared_columns, key_of
from ops_pipelines.mlops.drift import DriftRule
from ops_pipelines.mlops.evaluation import GateRule
from ops_pipelines.mlops.feature_set import FeatureService, join_features
from ops_pipelines.mlops.performance import PerformanceRule
from ops_pipelines.mlops.retraining import RetrainingRule
from ops_pipelines.mlops.task import CLASSIFICATION, task_named
from ops_pipelines.mlops.training import ASKED_AT, KNOWN_AT, LABEL, Weighting, import_function

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

YEAR = datetime(2013, 1, 1, tzinfo=UTC)
WEEKS = 52
DATASETS = ("flights", "landings", "weather", "aircraft", "delays")
"""The folders of the project's definitions that declare datasets, those before others that are made from them."""
FOLLOWED = {each.name for each in fields(Recipe)} | {"name", "description", "weekly", "entities", "labels", "weights"}
"""The settings of a model that the walk follows, or that change nothing in it."""


@dataclass(frozen=True, slots=True)
class FlightsYear:
    """Every flight of the 52 weeks, sorted by its id, with its week, features, label and when that became known."""

    frame: "pd.DataFrame"
    recipe: Recipe


def read_flights_year(folder: Path) -> FlightsYear:
    """The year made from the installed package; what it is joined from is written under `folder`."""
    lake = _write_lake(folder / "lake")
    declared = _declared("flight_delay")[0]
    service = _service(folder, _declared("flight_features")[0]["service"])
    files = {
        table.name: sorted(map(str, (folder / "lake" / table.dataset).rglob("*.parquet"))) for table in service.tables
    }
    rows = _rows(lake[declared["entities"]["dataset"]], declared, service)
    asked_at = declared["entities"]["asked_at"]
    joined = join_features(rows, asked_at=asked_at, service=service, sources=files)
    labelled = _with_labels(joined, lake[declared["labels"]["dataset"]], declared)
    return FlightsYear(labelled.to_pandas(), _recipe(declared, service))


def _declared(name: str) -> list[dict[str, Any]]:
    """The attributes of each component that a folder of the project's definitions declares."""
    file = Path(__file__).parents[1] / "ops_pipelines" / "defs" / "mlops" / name / "defs.yaml"
    return [component["attributes"] for component in yaml.safe_load_all(file.read_text())]


def _write_lake(lake: Path) -> dict[str, list["pa.Table"]]:
    """Every dataset, week by week, as its loader gives it: written for the join, and by name for what reads it."""
    import pyarrow.parquet as pq

    made: dict[str, list[pa.Table]] = {}
    for declared in (dataset for folder in DATASETS for dataset in _declared(folder)):
        made[declared["name"]] = _load(declared, made)
        for week, table in enumerate(made[declared["name"]]):
            file = lake / declared["name"] / f"{week:02d}" / "data.parquet"
            file.parent.mkdir(parents=True)
            pq.write_table(table, file)
    return made


def _load(declared: dict[str, Any], made: dict[str, list["pa.Table"]]) -> list["pa.Table"]:
    """The weeks of a dataset, or its one table where it has no weeks."""
    import pyarrow as pa

    load = import_function(declared["loader"], what="loader")
    spec = DatasetSpec(
        declared["name"], declared_columns(declared["columns"]), key_of(declared["key"]), declared.get("time_column")
    )
    if "weekly" not in declared:
        return [conform(load(), spec)]
    tables = []
    for week in range(WEEKS):
        start = YEAR + timedelta(weeks=week)
        read = {
            name: pa.concat_tables(made[name][max(0, week + 1 - count) : week + 1])
            for name, count in declared.get("reads", {}).items()
        }
        tables.append(conform(load(start, start + timedelta(weeks=1), **read), spec))
    return tables


def _service(home: Path, name: str) -> FeatureService:
    """The feature service as Feast applies it, in a registry of its own."""
    project = replace(find_project(Path(__file__).parent), home=home)
    return next(service for service in FeastStore(project).apply() if service.name == name)


def _rows(weeks: list["pa.Table"], declared: dict[str, Any], service: FeatureService) -> "pa.Table":
    """The rows to score with their week: key, instant and join keys, in the order of the key."""
    import pyarrow as pa

    numbered = [table.append_column(WEEK, pa.array([week] * table.num_rows)) for week, table in enumerate(weeks)]
    entities = declared["entities"]
    keys = [key for table in service.tables for key in table.keys]
    columns = dict.fromkeys([entities["key"], entities["asked_at"], WEEK, *keys])
    return pa.concat_tables(numbered).select(list(columns)).sort_by(entities["key"])


def _with_labels(joined: "pa.Table", weeks: list["pa.Table"], declared: dict[str, Any]) -> "pa.Table":
    import pyarrow as pa

    key, asked_at = declared["entities"]["key"], declared["entities"]["asked_at"]
    label, known_at = declared["labels"]["column"], declared["labels"]["known_at"]
    labels = pa.concat_tables(weeks).select([key, label, known_at])
    table = joined.join(labels, keys=key, join_type="left outer").sort_by(key)
    names = {asked_at: ASKED_AT, label: LABEL, known_at: KNOWN_AT}
    return table.rename_columns([names.get(name, name) for name in table.column_names])


def _recipe(declared: dict[str, Any], service: FeatureService) -> Recipe:
    """The model as its YAML declares it, with the domain's defaults for what it leaves out.

    ConfigError for settings that the walk does not follow: it would decide otherwise than the platform.
    """
    unknown = sorted(set(declared) - FOLLOWED) + sorted(set(declared["labels"]) - {"dataset", "column", "known_at"})
    if unknown:
        raise ConfigError(
            f"The walk does not follow {unknown} of the model's YAML",
            expected=f"some of {', '.join(sorted(FOLLOWED))}",
            action="Teach it to benchmarks/scored_year.py or benchmarks/year_walk.py",
        )
    return Recipe(
        train=import_function(declared["train"], what="training function"),
        params=declared["params"],
        seed=declared["seed"],
        flavour=flavour_named(declared["flavour"]),
        task=task_named(declared.get("task", CLASSIFICATION.name)),
        features=service.features,
        slices=tuple(declared["slices"]),
        weighting=Weighting(**declared.get("weights", {})),
        window_weeks=declared["window_weeks"],
        holdout_weeks=declared["holdout_weeks"],
        gate=GateRule(**declared.get("gate", {})),
        drift=DriftRule(**declared.get("drift", {})),
        performance=PerformanceRule(**declared.get("performance", {})),
        retraining=RetrainingRule(**declared.get("retraining", {})),
    )
