"""A home with releases that can be served, made in milliseconds: nothing is trained, and no feature store is asked.

    home = ServedHome.at(tmp_path)
    low, high = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(low)

Each release answers the same row differently, so that a score tells who gave it: `score_of_row(constant)` is what the
linear release of a constant says of `ROW`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import json

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.adapters.predictor import GOLDEN
from ops_pipelines.adapters.served_release import ENTITY
from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Evidence, Manifest, Move, Release, ReleaseStore, find_release
from ops_pipelines.core.verdict import Passed
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable
from ops_pipelines.mlops.golden import GoldenVectors
from ops_pipelines.testing.flavours import LinearModel, example_rows
from ops_pipelines.testing.heavy_flavour import heavy_model
from ops_pipelines.testing.release_store import NEW_YEAR, move_after

if TYPE_CHECKING:
    import pyarrow as pa

SYSTEM, KEY = "trip_delay", "trip_id"
ROW: Mapping[str, float] = {"distance": 1000.0, "wind": 10.0}
"""A row that every linear release scores."""
TRIPS = FeatureService("trips", (FeatureTable("trips", "trips", (KEY,), "known_at", tuple(ROW), None),))
"""The features that the releases name; the golden rows tell their kinds, and that `wind` is missing at times."""

LINEAR = "ops_pipelines.testing.flavours:LinearFlavour"
HEAVY = "ops_pipelines.testing.heavy_flavour:HeavyFlavour"


@dataclass(frozen=True, slots=True)
class ServedHome:
    """Where releases of one system are published, and its pointer is moved. `lock` is the environment that they name."""

    objects: ObjectStore
    releases: ReleaseStore
    system: str = SYSTEM
    lock: bytes = b"nothing==1\n"

    @classmethod
    def at(cls, home: Path, *, system: str = SYSTEM, lock: bytes = b"nothing==1\n") -> "ServedHome":
        """The stores of a home as the platform finds them."""
        return cls(ObjectStore(home / "objects" / "sha256"), SQLiteReleaseStore(home / "control.db"), system, lock)

    def publish(
        self,
        content: bytes,
        *,
        flavour: str,
        rows: "pa.Table | None" = None,
        service: FeatureService = TRIPS,
        entity: str | None = KEY,
    ) -> Release:
        """A release of a model's bytes, gated and passed; its golden rows are scored as a promotion would score them.

        Without `rows` it keeps no golden ones.
        """
        behaviour = {
            "model": self.objects.put(content),
            "recipe": self.objects.put(canonical_json({"flavour": flavour})),
            "environment": self.objects.put(self.lock),
            "features": self.objects.put(canonical_json(service.to_json())),
        }
        facts = {ENTITY: entity} if entity else {}
        if rows is not None:
            facts[GOLDEN] = self.objects.put(canonical_json(_golden(flavour, content, rows).to_json()))
        manifest = Manifest(self.system, behaviour)
        self.releases.save(manifest, Evidence(Passed(), None, NEW_YEAR, facts))
        return find_release(self.releases, self.system, manifest.digest)

    def publish_linear(self, constant: float) -> Release:
        """A release that adds a constant to what it makes of a row."""
        content = flavour_named(LINEAR).dump(linear_model(constant))
        return self.publish(content, flavour=LINEAR, rows=golden_rows())

    def publish_heavy(self, constant: float, *, megabytes: int) -> Release:
        """The linear release of a constant, with so many megabytes to be read and verified before it may answer."""
        content = flavour_named(HEAVY).dump(heavy_model(linear_model(constant), megabytes=megabytes))
        return self.publish(content, flavour=HEAVY, rows=golden_rows())

    def publish_boosted(self, seed: int = 0) -> Release:
        """A LightGBM release of the features of `example_rows`; another seed gives another model."""
        import lightgbm as lgb
        import pyarrow as pa

        rows = example_rows(seed=seed)
        fixed = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": 7}
        fitted = lgb.LGBMClassifier(n_estimators=20, verbosity=-1, **fixed).fit(rows.features, rows.labels)
        content = flavour_named("lightgbm").dump(fitted)
        view = FeatureTable("trips", "trips", (KEY,), "known_at", tuple(rows.features.columns), None)
        first = pa.Table.from_pandas(rows.features.head(32), preserve_index=False)
        return self.publish(content, flavour="lightgbm", rows=first, service=FeatureService("trips", (view,)))

    def make_live(self, release: Release, *, environment: str = PRODUCTION) -> Move:
        """One more row of the pointer's history, without a gate: a test says what is live."""
        history = self.releases.history(self.system, environment)
        last = history[-1] if history else None
        move = move_after(last, release.digest, system=self.system, environment=environment)
        self.releases.append(move)
        return move


def linear_model(constant: float) -> LinearModel:
    """The model of a linear release."""
    return LinearModel(tuple(ROW), tuple(ROW.values()), (0.001, 0.01), constant)


def score_of_row(constant: float) -> float:
    """What the linear release of a constant gives for `ROW`."""
    return 0.001 * ROW["distance"] + 0.01 * ROW["wind"] + constant


def golden_rows() -> "pa.Table":
    """Four rows; one of them lacks `wind`, and none lacks `distance`."""
    import pyarrow as pa

    wind = pa.array([10.0, 4.0, None, 7.5], pa.float64())
    return pa.table({"distance": pa.array([1000.0, 250.0, 1000.0, 2000.0], pa.float64()), "wind": wind})


def infer_body(
    rows: Sequence[Mapping[str, float | None]] = (ROW,), *, keys: Sequence[Any] = (), **parameters: Any
) -> bytes:
    """The body of a request of the Open Inference Protocol for rows of `distance` and `wind`, and whose they are."""
    inputs = [_tensor(name, "FP64", [row.get(name) for row in rows]) for name in ROW]
    if keys:
        inputs.append(_tensor(KEY, "BYTES", list(keys)))
    return json.encode({"inputs": inputs, "parameters": parameters})


def _tensor(name: str, datatype: str, values: Sequence[Any]) -> dict[str, Any]:
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}


def _golden(flavour: str, content: bytes, rows: "pa.Table") -> GoldenVectors:
    found = flavour_named(flavour)
    scores = found.predict(found.load(content), rows.to_pandas())
    return GoldenVectors(rows, tuple(scores.tolist()))
