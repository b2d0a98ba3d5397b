"""Feast behind four verbs: apply the feature repo, translate a service, refresh the online store, read it.

Feast keeps the definitions and the online values. The point-in-time join is ours (`mlops.feature_set`), and so is the
time to live online: Feast hands out expired values (feast#6821), `FeastStore.online` does not.

2026-11-22: Feast writes the latest value inside the range that it is given over whatever is there, so a backfill of an
old week would bring old values back. A refresh therefore always reads on to the latest instant ever loaded: what it
writes is then the latest value there is. A row that a correction takes away stays online until it expires.
"""

import contextlib
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.feast_online import OnlineReader
from ops_pipelines.adapters.feast_repo import open_feast, parse_repo, tolerant
from ops_pipelines.adapters.feast_services import translate
from ops_pipelines.adapters.project import Project
from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import ConfigError, DataError, NoAcceptedData, SchemaMismatch, near_miss
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable, earliest_needed

if TYPE_CHECKING:
    import feast
    import pyarrow as pa
    from feast.repo_contents import RepoContents

_MOMENT = timedelta(microseconds=1)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a refresh starts that has to load every value."""


@dataclass(frozen=True, slots=True)
class ViewRefresh:
    """What one view's refresh loaded: every key's latest value from `start` on and before `end`."""

    view: str
    dataset: str
    start: datetime
    end: datetime
    watermark_before: datetime | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the online store serves of some rows at the instant up to which it was loaded, by which definitions."""

    service: FeatureService
    until: datetime
    vectors: "pa.Table"


class FeastStore:
    """A project's features: the definitions in its feature repo, and the values in its online store."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._folder = project.home / "features"
        self._readers: dict[str, OnlineReader] = {}

    def apply(self) -> tuple[FeatureService, ...]:
        """Make the registry hold what the feature repo says, no more and no less; its services, by name.

        Raises ConfigError for a repo that cannot be loaded or translated, and leaves the registry as it was.
        """
        with _locked(self._folder, alone=True), tolerant():
            contents = parse_repo(self.project)
            views = {view.name: view for view in contents.feature_views}
            services = tuple(
                translate(service, views, contents.entities, self.project)
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
            known = _watermarks(store)
        if view not in known:
            raise ConfigError(
                f"No feature view {view!r} is applied",
                expected="a view of the feature repo",
                action=near_miss(view, known),
                view=view,
            )
        return known[view]

    def refresh(self, service_name: str, window: Window, *, unchanged: Collection[str] = ()) -> tuple[ViewRefresh, ...]:
        """Bring a window's values online, for each view of a service; newer values that are there already stay.

        `unchanged` names datasets that hold what they held when they were last loaded: a view that counts for ever over
        one of them is left as it is, unless some of it became known only after that.

        Raises NoAcceptedData where a view's dataset has no file, SchemaMismatch where a file lacks a column or its
        timestamps are not microseconds in UTC, and DataError where Feast cannot load it.
        """
        with self._opened(alone=True) as store:
            service = self._service(store, service_name)
            for table in service.tables:
                _check_files(table, self.project)
            before = _watermarks(store)
            due = [
                table
                for table in service.tables
                if table.ttl
                or table.dataset not in unchanged
                or _holds_later(table, self.project, than=before[table.name])
            ]
            return tuple(_refresh_view(store, table, window, before[table.name]) for table in due)

    def online(
        self, service_name: str, rows: Sequence[Mapping[str, Any]], *, asked_at: datetime
    ) -> list[dict[str, Any]]:
        """For each row of join keys, in order, each feature as known at `asked_at`; None where there is no value.

        The online store knows each key's latest value only: asked about the past, what was replaced since is None. A
        missing key finds nothing. The first call reads the registry, and later ones do not: make a new FeastStore to
        see what another process applied. Raises DataError where a row lacks a join key.
        """
        if service_name not in self._readers:
            self._readers[service_name] = self.reader(service_name)
        return self._readers[service_name].read(rows, utc(asked_at))

    def reader(self, service_name: str) -> OnlineReader:
        """The online values of a service as it is applied now; ConfigError where no such service is.

        Opening it reads the registry, and waits for a refresh that is under way.
        """
        with self._opened() as store:
            return OnlineReader(store, self._service(store, service_name))

    def applied_version(self) -> tuple[int, int] | None:
        """Something that differs after each write of the registry, and costs nothing to ask; None where there is none."""
        try:
            found = (self._folder / "registry.db").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def loaded(self, service_name: str, rows: Sequence[Mapping[str, Any]]) -> Loaded | None:
        """The vectors of some rows of join keys, asked at the service's latest watermark; None where nothing was loaded.

        Registry, watermark and values are read together: no refresh comes in between.
        """
        with self._opened() as store:
            service, watermarks = self._service(store, service_name), _watermarks(store)
            ends = [end for table in service.tables if (end := watermarks[table.name])]
            if not ends:
                return None
            return Loaded(service, max(ends), OnlineReader(store, service).vectors(rows, max(ends)))

    def _register(self, contents: "RepoContents") -> None:
        from feast import Project as FeastProject
        from feast.repo_operations import apply_total_with_repo_instance

        store = open_feast(self.project)
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
        with _locked(self._folder, alone=alone), tolerant():
            yield open_feast(self.project)

    def _service(self, store: "feast.FeatureStore", name: str) -> FeatureService:
        known = {service.name: service for service in store.list_feature_services()}
        if name not in known:
            raise ConfigError(
                f"No feature service {name!r} is applied",
                expected=f"a service of {self.project.feature_repo}",
                action=f"{near_miss(name, known)} A new one has to be applied first",
                service=name,
            )
        views = {view.name: view for view in store.list_feature_views()}
        return translate(known[name], views, store.list_entities(), self.project)


def _watermarks(store: "feast.FeatureStore") -> dict[str, datetime | None]:
    """Up to when each applied view's values were loaded; None where they never were."""
    return {
        view.name: max((utc(end) + _MOMENT for _, end in view.materialization_intervals), default=None)
        for view in store.list_feature_views()
    }


def _refresh_view(
    store: "feast.FeatureStore", table: FeatureTable, window: Window, before: datetime | None
) -> ViewRefresh:
    end = max(before, utc(window.end)) if before else utc(window.end)
    # What is older than the time to live has expired for everybody who asks from now on.
    refresh = ViewRefresh(table.name, table.dataset, earliest_needed(table, end) or EARLIEST, end, before)
    try:
        with _silent():
            # Feast includes the end, which is the first instant of the next week: its values come with that week.
            store.materialize(refresh.start, refresh.end - _MOMENT, feature_views=[table.name])
    except Exception as error:  # what DuckDB, ibis, pyarrow, SQLite and Feast raise has no common type
        raise DataError(
            f"Feast cannot load view {table.name!r} from dataset {table.dataset!r}: {type(error).__name__}: {error}",
            expected="columns of the types that the view's schema names",
            action=f"Compare the view with the columns of {table.dataset!r}, and refresh again",
            view=table.name,
            dataset=table.dataset,
        ) from error
    return refresh


def _files(table: FeatureTable, project: Project) -> list[Path]:
    return sorted((project.home / "lake" / table.dataset).glob("*/data.parquet"))


def _holds_later(table: FeatureTable, project: Project, *, than: datetime | None) -> bool:
    """Whether a table's dataset has a row that became known after an instant; any row does where there is none."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if than is None:
        return True
    columns = [pq.ParquetFile(file).read([table.timestamp]).column(0) for file in _files(table, project)]
    latest = [known for column in columns if (known := pc.max(column).as_py()) is not None]
    return any(known > than for known in latest)


def _check_files(table: FeatureTable, project: Project) -> None:
    import pyarrow.parquet as pq

    files = _files(table, project)
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
                action=near_miss(column, schema.names),
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
