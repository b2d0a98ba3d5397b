"""A small shop: four weeks of made-up rows, real components in YAML, and the daemon that drives them in this process.

`sales` come in week by week; `copy` is made from each week, `rolling` from each week and the one before, and the plain
asset `report` from all weeks. They live in one code location, or `sales` in one and what is made from them in another.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.dagster_runs import RunResult
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.mlops.admission import Ruling

collect_ignore = ["city"]  # a project that test_model.py copies

WEEKS = ("2013-01-01", "2013-01-08", "2013-01-15", "2013-01-22")
GOOD, BAD = (1.0, 2.0, 3.0), (1.0, 2.0, 900.0)

LOADERS = """
import os
import signal
from pathlib import Path

import pyarrow.parquet as pq


def sales(start, end):
    if os.environ.get("SHOP_DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
    return pq.ParquetFile(Path.cwd() / "source" / f"{start:%Y-%m-%d}.parquet").read()


def derive(start, end, sales):
    return sales
"""
DATASET = """
type: ops_pipelines.components.Dataset
attributes:
  name: {name}
  loader: shop_loaders:{loader}
  key: id
  columns: {{id: string, known_at: timestamp, value: float{values}}}
  weekly: {{start: "2013-01-01", end: "2013-01-29"}}
  {more}
"""
SALES = DATASET.format(name="sales", loader="sales", values=" 0..100", more="time_column: known_at")
COPY = DATASET.format(name="copy", loader="derive", values="", more="reads: {sales: 1}")
ROLLING = DATASET.format(name="rolling", loader="derive", values="", more="reads: {sales: 2}")
REPORT = """
import dagster as dg
from ops_pipelines.components.conditions import gated_eager

@dg.asset(deps=["sales"], automation_condition=gated_eager())
def report() -> None: ...
"""
STUB = """
import dagster as dg
from ops_pipelines.components.calendar import Weekly

sales = dg.AssetSpec("sales", partitions_def=Weekly(start="2013-01-01", end="2013-01-29").definition())
"""
EVERYTHING = """
import dagster as dg

everything = dg.define_asset_job("everything", dg.AssetSelection.all())
"""
IN, JOB, NAMED = {"sales/defs.yaml": SALES}, {"jobs/everything.py": EVERYTHING}, {"stub/sales.py": STUB}
WEEKLY, WHOLE = {"copy/defs.yaml": COPY, "rolling/defs.yaml": ROLLING}, {"report/report.py": REPORT}
TREES = {
    "shop": IN | WEEKLY | JOB,
    "counter": IN | WHOLE | JOB,
    "till": IN,
    "office": WEEKLY | NAMED,
    "bureau": WHOLE | NAMED,
}


def write_tree(root: Path, name: str, files: Mapping[str, str]) -> None:
    """A package of components, and beside it the module `<name>_location` that loads it as `locations/` do."""
    for path, text in {"__init__.py": "", **files}.items():
        (root / name / path).parent.mkdir(parents=True, exist_ok=True)
        (root / name / path).write_text(text)
    location = f"import {name}\nfrom ops_pipelines.components.house import load_tree\n\ndefs = load_tree({name})\n"
    (root / f"{name}_location.py").write_text(location)


@dataclass
class Shop:
    """The shop's daemon and lake, and the outside world that delivers its weeks."""

    daemon: InProcessDaemon
    platform: Platform
    upstream: str
    weeks = WEEKS
    good, bad = GOOD, BAD

    def deliver(self, week: str, values: tuple[float, ...]) -> None:
        """What the outside world has for a week from now on."""
        self.source(week).parent.mkdir(exist_ok=True)
        pq.write_table(rows_of(week, values), self.source(week))

    def source(self, week: str) -> Path:
        """The file in which a week is delivered."""
        return Path.cwd() / "source" / f"{week}.parquet"

    def arrive(self, week: str, values: tuple[float, ...] = GOOD) -> RunResult:
        """A week is delivered and loaded; nothing downstream is asked for."""
        self.deliver(week, values)
        return self.daemon.run_job(self.upstream, "arrivals", partition_key=week)

    def settle(self) -> Counter[tuple[str, str | None]]:
        """How often automation ran each asset and partition until it came to rest."""
        runs = [run for tick in self.daemon.settle_automation() for run in tick.runs]
        return Counter((asset, run.partition_key) for run in runs for asset in run.assets)

    def run_everything(self, week: str, values: tuple[float, ...] = GOOD) -> RunResult:
        """A week is delivered and everything made from it in one run."""
        self.deliver(week, values)
        return self.daemon.run_job(self.upstream, "everything", partition_key=week)

    def ask_for(self, asset: str, week: str) -> RunResult:
        """An asset materialized by hand, as from the UI, whatever its inputs' checks say."""
        return self.daemon.backfill([asset], [week]).runs[0]

    def made(self, asset: str) -> set[str]:
        """The weeks of an asset that have accepted content."""
        return set(self.platform.lake.partitions(asset))

    def rule(self, action: str, week: str, reason: str) -> None:
        """What `ops data accept|exclude sales WEEK` writes."""
        latest = self.platform.lake.latest("sales", week)
        ruling = Ruling(action, latest.digest, "ann", reason, self.platform.clock.wall())
        self.platform.lake.decide("sales", week, ruling.to_json())


def rows_of(week: str, values: tuple[float, ...]) -> pa.Table:
    """One row a value, an hour apart from the week's start on."""
    start = datetime.fromisoformat(week).replace(tzinfo=UTC)
    times = [start + timedelta(hours=n) for n in range(len(values))]
    return pa.table(
        {
            "id": pa.array([f"{week}/{n}" for n in range(len(values))], pa.string()),
            "known_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "value": pa.array(values, pa.float64()),
        }
    )


@pytest.fixture(scope="module")
def shop_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shop's project with its trees and a home whose databases are made: that takes longer than a test."""
    root = tmp_path_factory.mktemp("shop")
    (root / "pyproject.toml").write_text("[tool.ops]\n")
    (root / "requirements.lock").write_text("nothing==1\n")
    (root / "shop_loaders.py").write_text(LOADERS)
    for name, files in TREES.items():
        write_tree(root, name, files)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        patch.chdir(root)
        find_project.cache_clear()
        with InProcessDaemon(root / "empty_home", {name: f"{name}_location" for name in TREES}):
            pass
        yield root
    find_project.cache_clear()


@pytest.fixture(scope="module")
def baseline(shop_code: Path) -> Callable[..., Path]:
    """The home of some locations after automation's first tick, which fires nothing."""

    @cache
    def taken(*locations: str) -> Path:
        home = shutil.copytree(shop_code / "empty_home", shop_code / "homes" / "-".join(locations))
        with InProcessDaemon(home, {name: f"{name}_location" for name in locations}) as daemon:
            daemon.start_sensors(name="automation")
            daemon.tick_automation()
        return home

    return taken


@pytest.fixture
def open_shop(
    shop_code: Path, baseline: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Shop]]:
    """A shop with an empty lake in the locations that are named, the one of `sales` first."""
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(shop_code / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPS_HOME", str(tmp_path / ".ops"))
    find_project.cache_clear()
    with ExitStack() as stack:

        def opened(*locations: str) -> Shop:
            home = shutil.copytree(baseline(*locations), tmp_path / ".ops" / "dagster")
            daemon = stack.enter_context(InProcessDaemon(home, {name: f"{name}_location" for name in locations}))
            daemon.start_sensors(name="automation")
            return Shop(daemon, Platform.embedded(), locations[0])

        yield opened
    find_project.cache_clear()


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    """Weekly assets in one location."""
    return open_shop("shop")


@pytest.fixture(params=[("shop",), ("till", "office")], ids=" and ".join)
def weekly_shop(request: pytest.FixtureRequest, open_shop: Callable[..., Shop]) -> Shop:
    """Weekly assets downstream of sales, in its location and in another."""
    return open_shop(*request.param)


@pytest.fixture(params=[("counter",), ("till", "bureau")], ids=" and ".join)
def whole_shop(request: pytest.FixtureRequest, open_shop: Callable[..., Shop]) -> Shop:
    """An asset without partitions downstream of sales, in its location and in another."""
    return open_shop(*request.param)


@contextmanager
def _inside_the_city(root: Path, *, edit: Mapping[str, str] | None = None) -> Iterator[Path]:
    """The process inside a copy of the project `city`, some texts of its YAML replaced; afterwards none of its modules stay.

    Another copy has the same module names, and would be given this one's.
    """
    here = Path(__file__).parent
    shutil.copytree(here / "city", root)
    shutil.copy(here.parents[1] / "feature_repo" / "feature_store.yaml", root / "feature_repo")
    yaml = root / "city" / "defs.yaml"
    for before, after in (edit or {}).items():
        yaml.write_text(yaml.read_text().replace(before, after))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OPS_HOME", str(root / "home"))
        patch.syspath_prepend(root)
        find_project.cache_clear()
        yield root
    find_project.cache_clear()
    for module in [name for name in sys.modules if name.partition(".")[0] in ("city", "city_code", "city_location")]:
        del sys.modules[module]


@pytest.fixture(scope="session")
def inside_the_city() -> Callable[..., AbstractContextManager[Path]]:
    """A copy of the project `city` at a path, and the process inside it."""
    return _inside_the_city
