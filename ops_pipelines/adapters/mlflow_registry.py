"""MLflow as a mirror for people: runs, metrics, model cards and versions, in `mlflow.db` and `mlflow-artifacts` of a home.

What is live is decided by the pointer and never here, and no model is loaded from here: these are copies. MLflow's
active run and its tracking and registry URIs are neither read nor set, so a team's own use of MLflow goes on undisturbed.

A new database takes MLflow some seconds of migrations. It is built aside, by one process at a time, and copied into
place when complete, so that nobody meets half of one.
"""

import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.fingerprint import digest_bytes, short
from ops_pipelines.core.verdict import name_of
from ops_pipelines.mlops.checkpoint import Card

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

_CREATION_SECONDS = 120.0
_THERE = "RESOURCE_ALREADY_EXISTS"


class RegistryError(OpsError):
    """MLflow's database that is locked or broken, or that refused what it was given."""


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """A checkpoint as people see it in MLflow.

    `content` holds the model's canonical bytes in `flavour`, `dataset` the sha256 of the rows it was made from, and
    `sample` a few rows of its features, typed as they are served. `tags` go to the run and to the version: release
    digest, commit. `parts` are the digests of the release's behaviour; as tags `part_<name>` of the run they let
    MLflow's own search find every run of one dataset, environment or feature service. `artefacts` are texts by file
    name, stored beside the model card.
    """

    card: Card
    flavour: str
    content: bytes
    dataset: str
    sample: "pd.DataFrame"
    tags: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    artefacts: Mapping[str, str] = field(default_factory=dict)

    def all_tags(self) -> dict[str, str]:
        """The given tags with those that every record has: model_sha256, dataset_sha256, gate, cut_off, flavour."""
        return {
            **self.tags,
            "model_sha256": digest_bytes(self.content),
            "dataset_sha256": self.dataset,
            "gate": name_of(self.card.verdict),
            "cut_off": utc(self.card.cut_off).isoformat(),
            "flavour": self.flavour,
        }


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """Where MLflow keeps a record: the id of its run, and the version of the registered model."""

    run_id: str
    version: str


class MLflowRegistry:
    """The MLflow of one home. Another writer is waited for `patience_seconds` at the start, and 20 by MLflow itself."""

    def __init__(self, home: Path, *, patience_seconds: float = 20.0) -> None:
        self.home = home.absolute()
        self.patience_seconds = patience_seconds

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.home / "mlflow.db"

    @property
    def uri(self) -> str:
        """What `mlflow ui --backend-store-uri` and `mlflow.set_tracking_uri` take."""
        return _sqlite_uri(self.database)

    def record(self, training: TrainingRecord) -> RegisteredVersion:
        """A new run in the system's experiment, and a new version of the system's model.

        A record that fails on its way leaves its run FAILED and no version. Raises RegistryError where MLflow fails,
        and ArtefactError where the content is no model of its flavour.
        """
        system = training.card.system
        with TemporaryDirectory() as folder, self.client(f"record a run of {system!r}") as client:
            model = _write_model(training, Path(folder) / "model")
            with _run(client, self.experiment(client, system), training) as run:
                _log_facts(client, run.info.run_id, training)
                client.log_artifacts(run.info.run_id, str(model), "model")
                version = _register(client, run, training)
        return RegisteredVersion(run.info.run_id, version)

    def mirror(self, system: str, alias: str, version: str) -> None:
        """Point an alias of a system at a version; RegistryError where there is no such version."""
        with self.client(f"point {alias!r} of {system!r} at version {version}") as client:
            client.set_registered_model_alias(system, alias, version)

    def aliases(self, system: str) -> dict[str, str]:
        """The version that each alias of a system points at; empty for a system that was never recorded."""
        with self.client(f"read the aliases of {system!r}") as client, _unless_answer("RESOURCE_DOES_NOT_EXIST"):
            return {alias: str(version) for alias, version in client.get_registered_model(system).aliases.items()}
        return {}

    def create(self) -> None:
        """Create the database where there is none. Else the first use does, and pays for it."""
        with self.client("create its database"):
            pass

    @contextmanager
    def client(self, doing: str) -> "Iterator[MlflowClient]":
        """A client of the database, whose failures are RegistryErrors that say what could not be done."""
        try:
            self._create_if_absent()
            self._check_open()
            yield _connect(self.database)
        except OpsError:
            raise
        except Exception as error:
            if not _is_of_database(error):
                raise
            raise RegistryError(
                f"MLflow could not {doing} in {self.database}: {_first_line(error)}",
                expected="a whole MLflow database that no other process holds locked, and names that MLflow takes",
                action="End what holds it and try again, or restore it from a backup; nothing live depends on it",
                database=str(self.database),
            ) from error

    def _create_if_absent(self) -> None:
        if self.database.exists():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        # An SQLite transaction is a lock that ends with its process, on every system.
        with closing(sqlite3.connect(self.home / "mlflow.lock", timeout=_CREATION_SECONDS)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            if not self.database.exists():
                with TemporaryDirectory(ignore_cleanup_errors=True) as folder, written_aside(self.database) as aside:
                    draft = Path(folder) / "mlflow.db"
                    _connect(draft)
                    # MLflow keeps its connection open, so the file it holds must not become the database.
                    copyfile(draft, aside)

    def _check_open(self) -> None:
        """Raises sqlite3.DatabaseError for a database that is locked or broken, for which MLflow retries minutes."""
        with closing(sqlite3.connect(self.database, timeout=self.patience_seconds)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("SELECT count(*) FROM sqlite_master")

    def experiment(self, client: "MlflowClient", system: str) -> str:
        """The id of a system's experiment, made where there is none."""
        found = client.get_experiment_by_name(system)
        if found is None:
            folder = (self.home / "mlflow-artifacts" / system).as_uri()
            with _unless_answer(_THERE):
                client.create_experiment(system, artifact_location=folder)
            found = client.get_experiment_by_name(system)
        return str(found.experiment_id)


def _sqlite_uri(file: Path) -> str:
    return f"sqlite:///{file}"


def _connect(database: Path) -> "MlflowClient":
    # Read when mlflow is imported.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with _without_warnings_of_mlflow_to_itself():
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=_sqlite_uri(database), registry_uri=_sqlite_uri(database))


@contextmanager
def _without_warnings_of_mlflow_to_itself() -> Iterator[None]:
    """MLflow 3.17 warns of its own SQLAlchemy mappers and of its own type hints while its modules are imported."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType", category=UserWarning)
        yield


def _first_line(error: Exception) -> str:
    """What an error says, without the SQL that MLflow appends."""
    return str(error).partition("\n")[0]


def _is_of_database(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, MlflowException | SQLAlchemyError | sqlite3.Error)


@contextmanager
def _unless_answer(code: str) -> Iterator[None]:
    """Leave the block without an error where MLflow answers with this error code."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


@contextmanager
def _run(client: "MlflowClient", experiment: str, training: TrainingRecord) -> Iterator[Any]:
    """A run that ends FINISHED, or FAILED where the block raises."""
    from mlflow.exceptions import MlflowException

    name = f"{training.card.cut_off:%Y-%m-%d} {short(digest_bytes(training.content))}"
    run = client.create_run(experiment, run_name=name, tags={**training.all_tags(), **_parts(training)})
    try:
        yield run
    except BaseException:
        with suppress(MlflowException):
            client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id)


def _parts(training: TrainingRecord) -> dict[str, str]:
    return {f"part_{name}": digest for name, digest in training.parts.items()}


def _log_facts(client: "MlflowClient", run_id: str, training: TrainingRecord) -> None:
    """Parameters, metrics, the dataset's digest, the card and the other texts."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    card = training.card
    now = client.get_run(run_id).info.start_time
    facts = {**card.params, "seed": card.seed, "train_rows": card.train_rows, "holdout_rows": card.holdout_rows}
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in card.metrics.items() if value is not None],
        params=[Param(name, str(value)) for name, value in facts.items()],
    )
    # MLflow's own digest reads the first 10,000 rows only. Its column takes 36 characters; the tag has all 64.
    rows = Dataset(f"{card.system} training rows", short(training.dataset), "sha256", training.dataset)
    client.log_inputs(run_id, [DatasetInput(rows, [InputTag("mlflow.data.context", "training")])])
    for name, text in {"model_card.md": card.to_markdown(), **training.artefacts}.items():
        client.log_text(run_id, text, name)


def _register(client: "MlflowClient", run: Any, training: TrainingRecord) -> str:
    """The new version of the system's model, with the model card as its description."""
    card = training.card
    with _unless_answer(_THERE):
        client.create_registered_model(card.system)
    version = client.create_model_version(
        card.system,
        source=f"{run.info.artifact_uri}/model",
        run_id=run.info.run_id,
        tags=training.all_tags(),
        description=card.to_markdown(),
    )
    return str(version.version)


def _write_model(training: TrainingRecord, folder: Path) -> Path:
    """The model as a folder that MLflow shows: in its own format where it has one without pickle, else as our bytes."""
    model = flavour_named(training.flavour).load(training.content)
    writers = {"lightgbm": _write_booster}
    write = writers.get(training.flavour, _write_bytes)
    write(model, training, folder)
    return folder


def _write_booster(model: Any, training: TrainingRecord, folder: Path) -> None:
    from importlib.metadata import version

    # Given requirements keep MLflow from loading the model in a second process to guess them.
    pinned = [f"{name}=={version(name)}" for name in ("mlflow", "lightgbm", "numpy", "pandas")]
    signature = _signature(training.sample)
    with _without_warnings_of_mlflow_to_itself():
        import mlflow.lightgbm  # a lazy module, which is really imported by its first use in the next line

        mlflow.lightgbm.save_model(model, str(folder), signature=signature, pip_requirements=pinned)


def _write_bytes(_model: Any, training: TrainingRecord, folder: Path) -> None:
    from mlflow.models import Model

    folder.mkdir()
    (folder / "model.bytes").write_bytes(training.content)
    described = Model(signature=_signature(training.sample))
    described.add_flavor("ops_pipelines", flavour=training.flavour, data="model.bytes")
    described.save(str(folder / "MLmodel"))


def _signature(sample: "pd.DataFrame") -> "ModelSignature":
    """Column names and types for MLflow. None is required, since every flavour takes missing values."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {"b": DataType.boolean, "i": DataType.double, "u": DataType.double, "f": DataType.double}
    types = {name: kinds.get(kind.kind, DataType.string) for name, kind in sample.dtypes.items()}
    inputs = [ColSpec(kind, str(name), required=False) for name, kind in types.items()]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec(DataType.double)]))
