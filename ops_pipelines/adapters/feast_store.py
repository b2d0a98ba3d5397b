"""Feast behind four verbs: apply the feature repo, translate a service, refresh the online store, read it.

Feast keeps the definitions and the online values. The point-in-time join is ours (`mlops.feature_set`), and so is the
time to live online: Feast hands out expired values (feast#6821), `FeastStore.online` does not.

2026-11-22: Feast writes the latest value inside the range that it is given over whatever is there, so a backfill of an
old week would bring old values back. A refresh therefore always reads on to the latest instant ever loaded: what it
writes is then the latest value there is. A row that a correction takes away stays online until it expires.
"""

import contextlib
import importlib
import io
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import ConfigError, DataError, NoAcceptedData, SchemaMismatch, near_miss
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable, earliest_needed

if TYPE_CHECKING:
    import feast
    import pyarrow as pa
    from feast.repo_contents import RepoContents

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a refresh starts that has to load every value."""

_PROCESS = threading.RLock()
"""Held while the working directory, the modules, the warnings or the output of this process are not its own."""


@dataclass(frozen=True, slots=True)
class ViewRefresh:
    """What one view's refresh loaded: every key's latest value from `start` to `end`, both included."""

    view: str
    dataset: str
    start: datetime
    end: datetime
    watermark_before: datetime | None


class FeastStore:
    """A project's features: the definitions in its feature repo, and the values in its online store."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._folder = project.home / "features"
        self._readers: dict[str, _Reader] = {}

    def apply(self) -> tuple[FeatureService, ...]:
        """Make the registry hold what the feature repo says, no more and no less; its services, by name.

        Raises ConfigError for a repo that cannot be loaded or translated, and leaves the registry as it was.
        """
        with _locked(self._folder, alone=True), _tolerant():
            contents = _parse(self.project)
            views = {view.name: view for view in contents.feature_views}
            services = tuple(
                _translate(service, views, contents.entities, self.project)
                for service in sorted(contents.feature_services, key=lambda service: service.name)
            )
            self._register(contents)
        self._readers.clear()
        return services

    def service(self, name: str) -> FeatureService:
        """A feature service as it was last applied, its tables and their features in the order of their names.

        Raises ConfigError for a service that is not there, and for one that the join cannot answer.
        """
        with self._opened() as store:
            return self._service(store, name)

    def watermark(self, view: str) -> datetime | None:
        """The latest instant up to which a view's values were loaded; None where they never were."""
        with self._opened() as store:
            return _watermark(store, view)

    def refresh(self, service_name: str, window: Window) -> tuple[ViewRefresh, ...]:
        """Bring a window's values online, for each view of a service; newer values that are there already stay.

        Raises NoAcceptedData where a view's dataset has no file, SchemaMismatch where a file lacks a column or its
        timestamps are not microseconds in UTC, and DataError where Feast cannot load it.
        """
        with self._opened(alone=True) as store:
            service = self._service(store, service_name)
            for table in service.tables:
                _check_files(table, self.project)
            return tuple(_refresh_view(store, table, window) for table in service.tables)

    def online(
        self, service_name: str, rows: Sequence[Mapping[str, Any]], *, asked_at: datetime
    ) -> list[dict[str, Any]]:
        """For each row of join keys, in order, each feature as known at `asked_at`; None where there is no value.

        The online store knows each key's latest value only: asked about the past, what was replaced since is None. A
        missing key finds nothing. The first call reads the registry, and later ones do not: make a new FeastStore to
        see what another process applied. Raises DataError where a row lacks a join key.
        """
        if service_name not in self._readers:
            with self._opened() as store:
                self._readers[service_name] = _Reader(store, self._service(store, service_name))
        return self._readers[service_name].read(rows, utc(asked_at))

    def _register(self, contents: "RepoContents") -> None:
        from feast import Project as FeastProject
        from feast.repo_operations import apply_total_with_repo_instance

        store = _open(self.project)
        contents.projects[:] = contents.projects or [FeastProject(name=store.project)]
        try:
            with _silent():
                apply_total_with_repo_instance(store, store.project, store.registry, contents, True)
        except Exception as error:  # Feast has some twenty types, ValueError among them, for definitions it refuses
            raise ConfigError(
                f"Feast refuses the definitions in {self.project.feature_repo}: {type(error).__name__}: {error}",
                expected="entities, views and services that fit together",
                action="Mend the definition that it names, and apply again",
            ) from error

    @contextlib.contextmanager
    def _opened(self, *, alone: bool = False) -> "Iterator[feast.FeatureStore]":
        with _locked(self._folder, alone=alone), _tolerant():
            yield _open(self.project)

    def _service(self, store: "feast.FeatureStore", name: str) -> FeatureService:
        known = {service.name: service for service in store.list_feature_services()}
        if name not in known:
            raise ConfigError(
                f"No feature service {name!r} is applied",
                expected=f"a service of {self.project.feature_repo}",
                action=f"{near_miss(name, known)}. A new one has to be applied first",
                service=name,
            )
        views = {view.name: view for view in store.list_feature_views()}
        return _translate(known[name], views, store.list_entities(), self.project)


class _Reader:
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
                        action=near_miss(key, row).rstrip("."),
                        column=key,
                    )
        return {key: [blank if row[key] is None else row[key] for row in rows] for key, blank in self._blank.items()}


def _counts(table: FeatureTable, seconds: int, asked_at: datetime) -> bool:
    """Whether a value that became known then is neither expired nor from the future; Feast gives 0 for no value."""
    known = datetime.fromtimestamp(seconds, tz=UTC)
    since = earliest_needed(table, asked_at)
    return known <= asked_at and (since is None or known >= since)


def _translate(
    service: "feast.FeatureService",
    views: Mapping[str, "feast.FeatureView"],
    entities: Sequence["feast.Entity"],
    project: Project,
) -> FeatureService:
    """A Feast service in our terms, in the order of names, so that its digest is that of its content."""
    keys = {entity.name: entity.join_key for entity in entities if not entity.name.startswith("__")}
    projections = sorted(service.feature_view_projections, key=lambda projection: projection.name)
    tables = tuple(_table(service.name, projection, views, keys, project) for projection in projections)
    seen: dict[str, str] = {key: "a join key" for table in tables for key in table.keys}
    for table in tables:
        for feature in table.features:
            if feature in seen:
                raise ConfigError(
                    f"Feature {feature!r} of view {table.name!r} in service {service.name!r} is also {seen[feature]}",
                    expected="names that differ, since a joined row holds them side by side",
                    action=f"Rename the column {feature!r} in dataset {table.dataset!r} and in the view",
                )
            seen[feature] = f"a feature of view {table.name!r}"
    return FeatureService(service.name, tables)


def _table(
    service: str,
    projection: Any,
    views: Mapping[str, "feast.FeatureView"],
    keys: Mapping[str, str],
    project: Project,
) -> FeatureTable:
    view = views.get(projection.name)
    if view is None or projection.name_alias or projection.join_key_map or projection.version_tag is not None:
        raise ConfigError(
            f"Feature service {service!r} takes {projection.name!r} renamed, remapped, pinned, or not from a plain view",
            expected="feature views as they are, or some of their features",
            action="Compute the columns in a dataset, and make a plain feature view of it",
            view=projection.name,
        )
    features = tuple(sorted(field.name for field in projection.features))
    if not features or not set(view.entities) <= set(keys):
        raise ConfigError(
            f"Feature view {view.name!r} of {', '.join(view.entities)} has no features or no known entity",
            expected="a schema=[Field(...)] with each key and feature, and entities that a file of the repo defines",
            action="Write out what is missing: nothing is inferred from the data",
            view=view.name,
        )
    source = _lake_source(view, project)
    return FeatureTable(
        name=view.name,
        dataset=_dataset(source),
        keys=tuple(sorted(keys[entity] for entity in view.entities)),
        timestamp=source.timestamp_field,
        features=features,
        ttl=view.ttl or None,
    )


def _lake_source(view: "feast.FeatureView", project: Project) -> "feast.FileSource":
    """A view's source, which has to be a dataset of the lake."""
    from feast import FileSource

    source, lake = view.batch_source, project.home / "lake"
    if (
        isinstance(source, FileSource)
        and source.timestamp_field
        and not source.field_mapping
        and Path(source.path) == lake / _dataset(source) / "*" / "data.parquet"
    ):
        return source
    raise ConfigError(
        f"Feature view {view.name!r} does not read a dataset of the lake: its source is {getattr(source, 'path', source)}",
        expected=f"a FileSource over {lake}/<dataset>/*/data.parquet with a timestamp_field and no field_mapping",
        action="Give it path=lake_files(<dataset>), and apply again where OPS_HOME has moved",
        view=view.name,
    )


def _dataset(source: "feast.FileSource") -> str:
    return Path(source.path).parent.parent.name


def _watermark(store: "feast.FeatureStore", name: str) -> datetime | None:
    views = {view.name: view for view in store.list_feature_views()}
    if name not in views:
        raise ConfigError(
            f"No feature view {name!r} is applied",
            expected="a view of the feature repo",
            action=near_miss(name, views).rstrip("."),
            view=name,
        )
    return max((utc(end) for _, end in views[name].materialization_intervals), default=None)


def _refresh_view(store: "feast.FeatureStore", table: FeatureTable, window: Window) -> ViewRefresh:
    before = _watermark(store, table.name)
    end = max(before, utc(window.end)) if before else utc(window.end)
    # What is older than the time to live has expired for everybody who asks from now on.
    refresh = ViewRefresh(table.name, table.dataset, earliest_needed(table, end) or EARLIEST, end, before)
    try:
        with _silent():
            store.materialize(refresh.start, refresh.end, feature_views=[table.name])
    except Exception as error:  # what DuckDB, ibis, pyarrow, SQLite and Feast raise has no common type
        raise DataError(
            f"Feast cannot load view {table.name!r} from dataset {table.dataset!r}: {type(error).__name__}: {error}",
            expected="columns of the types that the view's schema names",
            action=f"Compare the view with the columns of {table.dataset!r}, and refresh again",
            view=table.name,
            dataset=table.dataset,
        ) from error
    return refresh


def _check_files(table: FeatureTable, project: Project) -> None:
    import pyarrow.parquet as pq

    files = sorted((project.home / "lake" / table.dataset).glob("*/data.parquet"))
    if not files:
        raise NoAcceptedData(
            f"Feature view {table.name!r} has no accepted partition of dataset {table.dataset!r} to load",
            expected="at least one Parquet file",
            action=f"Materialize {table.dataset!r} first",
            view=table.name,
            dataset=table.dataset,
        )
    for file in files:
        _check_schema(table, file, pq.read_schema(file))


def _check_schema(table: FeatureTable, file: Path, schema: "pa.Schema") -> None:
    import pyarrow as pa

    for column in (*table.keys, table.timestamp, *table.features):
        if column not in schema.names:
            raise SchemaMismatch(
                f"{file} has no column {column!r}, which feature view {table.name!r} names",
                expected=f"the columns {', '.join((*table.keys, table.timestamp, *table.features))}",
                action=near_miss(column, schema.names).rstrip("."),
                column=column,
            )
    kind = schema.field(table.timestamp).type
    if kind != pa.timestamp("us", tz="UTC"):
        raise SchemaMismatch(
            f"Column {table.timestamp!r} of {file} is {kind}",
            expected="timestamp[us, tz=UTC]: DuckDB loads no nanoseconds through Feast, and naive instants mean nothing",
            action=f"Cast the column where dataset {table.dataset!r} is made",
            column=table.timestamp,
        )


def _open(project: Project) -> "feast.FeatureStore":
    """Feast on the project's registry as it is now."""
    from feast import FeatureStore
    from feast.repo_config import load_repo_config

    settings = project.feature_repo / "feature_store.yaml"
    if not settings.is_file():
        raise ConfigError(
            f"The project has no {settings}",
            expected="a feature repo with its feature_store.yaml",
            action="Add it, or name another folder in [tool.ops] feature_repo",
        )
    try:
        with _home(project):
            return FeatureStore(config=load_repo_config(project.feature_repo, settings))
    except Exception as error:  # from YAML, from pydantic, and from the stores that the file names
        raise ConfigError(
            f"{settings} cannot be used: {error}",
            expected="a project, a provider, a registry, an online and an offline store",
            action="Mend the file and apply again",
        ) from error


def _parse(project: Project) -> "RepoContents":
    from feast.repo_operations import parse_repo

    if not project.feature_repo.is_dir():
        raise ConfigError(
            f"The project has no folder {project.feature_repo}",
            expected="a feature repo with a feature_store.yaml, entities, views and services",
            action="Add it, or name another folder in [tool.ops] feature_repo",
        )
    with _inside(project):
        try:
            return parse_repo(project.feature_repo)
        except Exception as error:  # a team's code may raise anything while it is imported
            raise ConfigError(
                f"{_culprit(project.feature_repo, error)} cannot be loaded: {type(error).__name__}: {error}",
                expected="Python files that define entities, feature views and feature services",
                action="Mend the file and apply again",
            ) from error


def _culprit(folder: Path, error: Exception) -> str:
    """The file and line of the feature repo where an error comes from, or the folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    inside = [
        frame for frame in traceback.extract_tb(error.__traceback__) if folder.resolve() in Path(frame.filename).parents
    ]
    return f"{inside[-1].filename}:{inside[-1].lineno}" if inside else str(folder)


@contextlib.contextmanager
def _inside(project: Project) -> Iterator[None]:
    """The process as Feast's parser wants it: in the feature repo, which alone provides the modules of its names.

    Feast names modules by their path from the working directory and leaves them in `sys.modules`, so that a second repo
    with a `views.py` would be given the first one's.
    """
    folder = project.feature_repo.resolve()
    own = {path.stem for path in folder.iterdir()}
    bytecode = sys.dont_write_bytecode
    with _PROCESS, _home(project), contextlib.chdir(folder):
        hidden = _take_modules(own)
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        find_project.cache_clear()
        try:
            yield
        finally:
            find_project.cache_clear()
            sys.dont_write_bytecode = bytecode
            sys.path.remove(str(folder))
            _take_modules(own)
            sys.modules.update(hidden)


def _take_modules(names: set[str]) -> dict[str, Any]:
    """The loaded modules of some top-level names, taken out of `sys.modules`."""
    found = [name for name in sys.modules if name.partition(".")[0] in names]
    return {name: sys.modules.pop(name) for name in found}


@contextlib.contextmanager
def _home(project: Project) -> Iterator[None]:
    """OPS_HOME as feature_store.yaml and `lake_files` read it: this project's, whatever the shell says."""
    with _PROCESS:
        before = os.environ.get("OPS_HOME")
        os.environ["OPS_HOME"] = str(project.home)
        try:
            yield
        finally:
            if before is None:
                del os.environ["OPS_HOME"]
            else:
                os.environ["OPS_HOME"] = before


@contextlib.contextmanager
def _tolerant() -> Iterator[None]:
    """Lets pass the one deprecation that ibis has not heeded, and undoes the filters that importing Feast sets."""
    with _PROCESS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fetch_arrow_table", category=DeprecationWarning)
        yield


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Feast without its progress bars and prints, which no setting turns off."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def _locked(folder: Path, *, alone: bool) -> Iterator[None]:
    """Holds the features' lock: `alone` to write, else together with other readers.

    Feast rewrites its registry in place, so a reader without the lock may see half of it.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
