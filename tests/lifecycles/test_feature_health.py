"""The health of online features through Dagster: in the run that refreshes them, with a skew, and after a refused week."""

import importlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.dagster_runs import RunResult
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed

W0, W1, W2 = "2013-01-01", "2013-01-08", "2013-01-15"
HEALTH = dg.AssetKey(["parcel_features", "feature_health"])
DEFS = """
type: ops_pipelines.components.Dataset
attributes:
  name: parcels
  loader: depot_code:parcels
  key: parcel_id
  time_column: asked_at
  columns: {parcel_id: string, weight: float 0..50, sent_at: timestamp, asked_at: timestamp}
  weekly: {start: "2013-01-01", end: "2013-01-22"}
---
type: ops_pipelines.components.FeatureSet
attributes:
  name: parcel_features
  service: parcel_delay
  datasets: [parcels]
  weekly: {start: "2013-01-01", end: "2013-01-22"}
  health: {dataset: parcels, asked_at: asked_at, sample: 40, freshness: {label: 24}}
"""
CODE = '''
"""Eighty parcels a week in a made-up depot, two hours apart; from the third week on their scale is broken."""

from datetime import timedelta

import pandas as pd


def parcels(start, end):
    sent = [start + timedelta(hours=2 * n) for n in range(80)]
    return pd.DataFrame(
        {
            "parcel_id": [f"{start:%m%d}-{n}" for n in range(80)],
            "weight": [n / 2 if start.day < 15 else 1000.0 + n for n in range(80)],
            "sent_at": sent,
            "asked_at": [at + timedelta(hours=1) for at in sent],
        }
    )
'''
VIEWS = '''
"""One view: the weight on a parcel's label."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

from ops_pipelines.adapters.project import lake_files

parcel = Entity(name="parcel", join_keys=["parcel_id"], value_type=ValueType.STRING)
label = FeatureView(
    name="label",
    entities=[parcel],
    ttl=timedelta(days=4),
    source=FileSource(name="parcels", path=lake_files("parcels"), timestamp_field="sent_at"),
    schema=[Field(name="parcel_id", dtype=String), Field(name="weight", dtype=Float64)],
)
parcel_delay = FeatureService(name="parcel_delay", features=[label])
'''
LOCATION = "import depot\nfrom ops_pipelines.components.house import load_tree\n\ndefs = load_tree(depot)\n"


@dataclass
class Depot:
    """The depot's daemon and platform, and the runs by which automation followed its first two weeks."""

    daemon: InProcessDaemon
    platform: Platform
    runs: list[RunResult]

    def look(self, week: str) -> RunResult:
        """A week's features looked at by hand."""
        return self.daemon.backfill(["parcel_features/feature_health"], [week]).runs[0]

    def stored(self, week: str):
        return self.platform.lake.latest("parcel_features/feature_health", week)

    def checks(self, run_id: str) -> dict[str, dg.AssetCheckEvaluation]:
        """What the checks of a run's health asset said."""
        records = self.daemon.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        found = [record.dagster_event.asset_check_evaluation_data for record in records]
        return {check.check_name: check for check in found if check.asset_key == HEALTH}


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    root = tmp_path_factory.mktemp("depot")
    files = {"depot/__init__.py": "", "depot/defs.yaml": DEFS, "depot_code.py": CODE, "depot_location.py": LOCATION}
    files |= {"pyproject.toml": "[tool.ops]\n", "requirements.lock": "nothing==1\n", "feature_repo/views.py": VIEWS}
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    shutil.copy(Path(__file__).parents[2] / "feature_repo" / "feature_store.yaml", root / "feature_repo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OPS_HOME", str(root / "home"))
        patch.syspath_prepend(root)
        find_project.cache_clear()
        importlib.invalidate_caches()
        with InProcessDaemon(root / "home" / "dagster", {"depot": "depot_location"}) as daemon:
            daemon.start_sensors(name="automation")
            depot = Depot(daemon, Platform.embedded(), [])
            daemon.settle_automation()
            for week in (W0, W1):
                assert daemon.run_job("depot", "arrivals", partition_key=week).error is None
                depot.runs += [run for tick in daemon.settle_automation() for run in tick.runs]
            yield depot
    find_project.cache_clear()


def test_automation_looks_at_the_features_in_the_run_that_refreshes_them_and_finds_nothing(depot):
    assert [(set(run.assets), run.partition_key, run.error) for run in depot.runs] == [
        ({"parcel_features/online", "parcel_features/feature_health"}, week, None) for week in (W0, W1)
    ]
    stored = depot.stored(W1)
    assert stored.verdict == stored.findings["parity"] == Passed({"entities": 46, "cells": 46, "differing": 0})
    assert isinstance(stored.findings["freshness"], Passed)
    (row,) = depot.platform.lake.read("parcel_features/feature_health", W1).to_pylist()
    assert (row["feature"], row["compared"], row["differing"], row["limit_hours"]) == ("weight", 46, 0, 24)
    assert 0 < row["missing"] < 1  # of a week's parcels those of the first days have expired
    assert (row["newest_hours"], row["oldest_hours"]) > (8, 8)


def test_what_was_found_is_shown_as_tables(depot):
    (event,) = depot.daemon.instance.fetch_materializations(
        dg.AssetRecordsFilter(HEALTH, asset_partitions=[W1]), limit=1
    ).records
    shown = event.asset_materialization.metadata
    assert [record.data["feature"] for record in shown["features"].records] == ["weight"]
    assert [record.data["view"] for record in shown["ages in hours"].records] == ["label"]
    assert shown["asked at"].value == datetime(2013, 1, 15, tzinfo=UTC).timestamp()


def test_an_old_week_is_compared_as_of_what_was_loaded_last_and_its_feeds_are_not_judged(depot):
    assert depot.look(W0).status == "SUCCESS"
    stored = depot.stored(W0)
    assert stored.facts["asked_at"] == "2013-01-15T00:00:00+00:00"
    assert isinstance(stored.findings["parity"], Passed)
    assert isinstance(stored.findings["freshness"], NotEvaluated)


def test_the_same_week_gives_the_same_digest_again(depot):
    before = depot.stored(W1).digest
    depot.look(W1)
    assert depot.stored(W1).digest == before


def test_a_skew_warns_holds_nothing_back_and_is_stored_with_its_reasons(depot):
    file = depot.platform.lake.file("parcels", W1)
    honest = file.read_bytes()
    table = pq.ParquetFile(file).read()
    pq.write_table(table.set_column(1, "weight", pc.multiply(table.column("weight"), 2.2046)), file)
    window = Window(datetime(2013, 1, 8, tzinfo=UTC), datetime(2013, 1, 15, tzinfo=UTC))
    depot.platform.features.refresh("parcel_delay", window)
    file.write_bytes(honest)
    run = depot.look(W1)
    assert run.status == "SUCCESS"
    stored = depot.stored(W1)
    parity = stored.findings["parity"]
    assert isinstance(stored.verdict, Passed)
    assert isinstance(parity, Blocked)
    assert "another value of the same instant" in parity.reasons[0]
    check = depot.checks(run.run_id)["parity"]
    assert (check.passed, check.blocking, check.severity) == (False, False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["reasons"].value == f"- {parity.reasons[0]}"
    depot.daemon.backfill(["parcel_features/online"], [W1])
    depot.look(W1)
    assert isinstance(depot.stored(W1).findings["parity"], Passed)  # the next refresh heals it


def test_a_refused_week_is_not_measured_and_says_so(depot):
    depot.daemon.run_job("depot", "arrivals", partition_key=W2)
    assert not [run for tick in depot.daemon.settle_automation() for run in tick.runs]
    assert "1 blocking asset check failed" in depot.look(W2).error
    stored = depot.stored(W2)
    assert isinstance(stored.verdict, Blocked)
    assert f"parcels@{W2}" in json.dumps(list(stored.verdict.reasons))
    assert all(isinstance(finding, NotEvaluated) for finding in stored.findings.values())


def test_a_feature_store_that_somebody_applied_since_is_not_compared(depot):
    views = Path.cwd() / "feature_repo" / "views.py"
    views.write_text(VIEWS.replace("days=4", "days=5"))
    depot.platform.features.apply()
    assert "1 blocking asset check failed" in depot.look(W1).error
    verdict = depot.stored(W1).verdict
    assert verdict == NotEvaluated(
        "the feature store is not as parcel_features/definitions has it: it was applied again since"
    )
    views.write_text(VIEWS)
    depot.platform.features.apply()
    assert depot.look(W1).status == "SUCCESS"
