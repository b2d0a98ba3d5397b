"""A home with two releases of flight_delay, as `ops serve` finds it: real components, real flights, no Dagster.

Twenty features of six views, two of them text, missing values among them; boosters of 120 trees. The second release
learned from one week more. The pointer names the first.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.directly import write_directly
from benchmarks.processes import measured

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.components import Model

ROOT = Path(__file__).parents[1]
SYSTEM = "flight_delay"
WEEKS = ("2013-01-01", "2013-01-08", "2013-01-15", "2013-01-22", "2013-01-29")
"""The weeks that are brought in. The first release is of the last but one, the second of the last."""
REQUESTS = 256
"""How many different rows are asked for, in turn."""
_SHORTER = {"window_weeks": 4, "holdout_weeks": 1}
_DATASETS = ("flights", "landings", "weather", "aircraft", "delays")


@dataclass(frozen=True, slots=True)
class Served:
    """What the home holds: two releases, rows of plain values as the first was fitted on, and rows of join keys."""

    home: Path
    releases: tuple[str, str]
    rows: Sequence[Mapping[str, Any]]
    keys: Sequence[Mapping[str, Any]]

    @property
    def boosters(self) -> tuple[Path, Path]:
        """The releases' models as LightGBM's own text."""
        return _booster_file(self.home, 0), _booster_file(self.home, 1)


def make_served(home: Path) -> Served:
    """A new home in a folder, made by a process of its own; takes about half a minute."""
    found = measured("benchmarks.serving_data:fill_home", str(home), home=ROOT).answer
    return Served(home, (found["releases"][0], found["releases"][1]), found["rows"], found["keys"])


def infer_body(rows: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
    """The Open Inference Protocol's request for some rows: a tensor a feature, and what else is asked with it."""
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": datatype, "data": [row[name] for row in rows]}
        for name, datatype in _datatypes(rows[0]).items()
    ]
    return json.dumps({"inputs": inputs, **more}).encode()


def predict_body(keys: Mapping[str, Any]) -> bytes:
    """The JSON door's request for one row of join keys."""
    return json.dumps({"rows": [keys]}).encode()


def opened(home: str) -> "Platform":
    """The platform of the project in the working directory, its state in a folder of its own."""
    os.environ["OPS_HOME"] = home
    Path(home).mkdir(exist_ok=True)
    from ops_pipelines.adapters.platform import Platform

    return Platform.embedded()


def fill_home(home: str) -> dict[str, Any]:
    """What `make_served` answers, as plain JSON."""
    from ops_pipelines.mlops.feature_set import FeatureService

    platform = opened(home)
    # MLflow only mirrors releases; a broken store of its own keeps its seconds out of this.
    (Path(home) / "mlflow.db").write_text("MLflow is not asked here")
    model = _bring_in(platform)
    releases = [_train(model, platform, week) for week in WEEKS[-2:]]
    move_pointer(platform, releases[0])
    stored = platform.releases.releases(SYSTEM)
    for number, release in enumerate(stored):
        _booster_file(Path(home), number).write_bytes(platform.objects.get(release.manifest.behaviour["model"]))
    service = FeatureService.from_json(json.loads(platform.objects.get(stored[0].manifest.behaviour["features"])))
    rows = platform.lake.read(f"{SYSTEM}/training_set", WEEKS[-2]).slice(0, REQUESTS).select(service.features)
    return {"releases": releases, "rows": rows.to_pylist(), "keys": _fresh_keys(platform, service)}


def move_pointer(platform: "Platform", release: str) -> None:
    """One more row of the pointer's history; the gate, which has nothing to do with serving, is not asked."""
    from ops_pipelines.core.pointer import PRODUCTION
    from ops_pipelines.core.release import Move, find_release

    history = platform.releases.history(SYSTEM, PRODUCTION)
    last = history[-1] if history else None
    move = Move(
        system=SYSTEM,
        environment=PRODUCTION,
        sequence=last.sequence + 1 if last else 1,
        release=release,
        evidence=find_release(platform.releases, SYSTEM, release).latest.digest,
        action="promote",
        actor="benchmark",
        reason="the pointer moves",
        as_of=platform.clock.as_of(),
        at=platform.clock.wall(),
        previous=last.hash if last else "",
    )
    platform.releases.append(move)


def _bring_in(platform: "Platform") -> "Model":
    """Every dataset's weeks, the features online, and the clock at the end of the last week; the model over them."""
    from ops_pipelines.components import Dataset, FeatureSet, Model
    from ops_pipelines.components.calendar import window_of

    datasets = [Dataset.resolve_from_yaml(text) for name in _DATASETS for text in _declared(name)]
    (features,) = (FeatureSet.resolve_from_yaml(text) for text in _declared("flight_features"))
    (model,) = (Model.resolve_from_yaml(text) for text in _declared(SYSTEM, **_SHORTER))
    platform.clock.set(window_of(model.weeks(), WEEKS[-1]).end)
    platform.features.apply()
    write_directly(platform, f"{features.name}/definitions", None, features._applied(platform))
    for week in WEEKS:
        for dataset in datasets:
            weeks = dataset.weekly.definition() if dataset.weekly else None
            if weeks or week == WEEKS[0]:
                made = dataset.make(platform, dataset.spec(), weeks, week if weeks else None)
                write_directly(platform, dataset.name, week if weeks else None, made)
        refreshed = features._refreshed(platform, features.weekly.definition(), week)
        write_directly(platform, f"{features.name}/online", week, refreshed)
    return model


def _train(model: "Model", platform: "Platform", week: str) -> str:
    """The release of a cut-off week, stored and not promoted."""
    from ops_pipelines.components.model_checkpoint import CheckpointConfig, make_checkpoint
    from ops_pipelines.components.model_training_set import make_training_set

    write_directly(platform, f"{SYSTEM}/training_set", week, make_training_set(model, platform, week))
    checkpoint = make_checkpoint(model, platform, week, CheckpointConfig(), run_id="benchmark")
    write_directly(platform, f"{SYSTEM}/checkpoint", week, checkpoint)
    return str(checkpoint.facts["release"])


def _declared(folder: str, **changed: Any) -> list[str]:
    """The attributes of each component that the project declares in a folder, some of them changed."""
    import yaml

    written = (ROOT / "ops_pipelines" / "defs" / "mlops" / folder / "defs.yaml").read_text()
    return [yaml.safe_dump(document["attributes"] | changed) for document in yaml.safe_load_all(written)]


def _fresh_keys(platform: "Platform", service: Any) -> list[dict[str, Any]]:
    """The join keys of flights that leave at the end of the last week, so that all that is known of them is fresh."""
    import pyarrow.compute as pc

    names = sorted({key for table in service.tables for key in table.keys})
    flights = platform.lake.read("flights", WEEKS[-1]).sort_by([("departs_at", "descending")])
    known = platform.features.reader(service.name)
    rows = flights.filter(pc.is_valid(flights.column("tailnum"))).select(names).slice(0, 4 * REQUESTS).to_pylist()
    absent = known.look_up(rows, platform.clock.as_of()).absent
    return [row for row, missing in zip(rows, absent, strict=True) if not missing][:REQUESTS]


def _booster_file(home: Path, number: int) -> Path:
    return home / f"booster-{number}.txt"


def _datatypes(row: Mapping[str, Any]) -> dict[str, str]:
    words = {str: "BYTES", int: "INT64"}
    return {name: words.get(type(value), "FP64") for name, value in row.items()}
