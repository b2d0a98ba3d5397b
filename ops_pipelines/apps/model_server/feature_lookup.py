"""Entity keys become feature vectors: looked up online, by the definitions that the release was trained on.

Feast's store is read in one thread beside the event loop: a store that is locked or slow then holds up the requests that
need it, for a bounded time, and nobody else. Definitions are followed in another thread, since opening the registry
waits for a refresh that is under way.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from ops_pipelines.adapters.feast_online import LookedUp, OnlineReader
from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.core.errors import DataError, NoAcceptedData, OpsError, SchemaMismatch, near_miss
from ops_pipelines.mlops.feature_set import FeatureService

FOLLOW_SECONDS, FIRST_SECONDS = 0.5, 0.02
_NOT_OPEN = "the online store is not opened yet"


class FeatureLookup:
    """The online features of the services that are served."""

    def __init__(self, features: FeastStore, *, timeout_seconds: float = 1.0) -> None:
        self.problem: str | None = _NOT_OPEN
        self._features, self._timeout = features, timeout_seconds
        self._readers: Mapping[str, OnlineReader] = {}
        self._tried: frozenset[str] = frozenset()
        self._version: tuple[int, int] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="features")

    def follow(self, services: Callable[[], Iterable[str]], stop: threading.Event) -> None:
        """Opens the services that are asked for, and again where definitions were applied anew, until `stop`."""
        while not stop.is_set():
            self.refresh(services())
            stop.wait(FOLLOW_SECONDS if self._tried else FIRST_SECONDS)

    def settled(self, services: Iterable[str]) -> bool:
        """Whether each of these services is open, or could not be opened."""
        return self._tried.issuperset(services)

    def refresh(self, services: Iterable[str]) -> None:
        """Opens what is not open yet, and everything again where the registry was written since."""
        version, wanted = self._features.applied_version(), set(services)
        if version == self._version and wanted <= self._readers.keys():
            return
        if not wanted <= self._readers.keys():
            self.problem = self.problem or _NOT_OPEN  # opening takes seconds: Feast is imported for it
        try:
            self._readers = {name: self._features.reader(name) for name in sorted(wanted)}
            self._version, self.problem = version, None
        except Exception as error:  # Feast and what it opens raise some twenty types; the door then says why it is shut
            self.problem = str(error) or type(error).__name__
        self._tried = frozenset(wanted)

    async def look_up(
        self, service: FeatureService, rows: Sequence[Mapping[str, Any]], asked_at: datetime, *, entity: str | None
    ) -> LookedUp:
        """What is known of some rows of join keys; DataError where the store, or these definitions, are not to be had.

        SchemaMismatch that names the key where a row lacks one, or has one that is neither looked up by nor the entity's.
        """
        reader = self._reader(service)
        _check_keys(service, rows, entity)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._thread, reader.look_up, rows, asked_at)
        except TimeoutError as error:
            raise _unavailable(f"The online store did not answer within {self._timeout:g} s") from error
        except OpsError:
            raise
        except Exception as error:  # Feast, SQLite and protobuf have no common type
            raise _unavailable(f"The online store cannot be read: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _reader(self, service: FeatureService) -> OnlineReader:
        reader = self._readers.get(service.name)
        if reader is None:
            raise _unavailable(
                f"The features of {service.name!r} cannot be looked up: {self.problem or 'not open yet'}"
            )
        if reader.service != service:
            raise _unavailable(
                f"The feature service {service.name!r} was applied with other definitions than this release was trained on"
            )
        return reader


def check_known(found: LookedUp, service: FeatureService, entity: str | None) -> None:
    """Raises where a row has something that is unknown or has expired: NoAcceptedData for the entity, else DataError.

    The facts name the view as `field`, and each view with why.
    """
    for row, absent in enumerate(found.absent):
        if not absent:
            continue
        own = next((table.name for table in service.tables if table.name in absent and table.keys == (entity,)), None)
        view = own or next(iter(absent))
        kind = NoAcceptedData if own and absent[own] == "unknown" else DataError
        keys = next(table.keys for table in service.tables if table.name == view)
        raise kind(
            f"Row {row} has no usable features of {view!r}, by its {', '.join(keys)}: {absent[view]}",
            expected="features that are known and fresh",
            action="Send null for a key that the row does not have, or allow_missing for a score without these features",
            field=view,
            row=row,
            absent=dict(absent),
        )


def _check_keys(service: FeatureService, rows: Sequence[Mapping[str, Any]], entity: str | None) -> None:
    keys = {key for table in service.tables for key in table.keys}
    for number, row in enumerate(rows):
        lacking, strange = sorted(keys - row.keys()), sorted(row.keys() - keys - {entity})
        if not lacking and not strange:
            continue
        wrong = (lacking or strange)[0]
        raise SchemaMismatch(
            f"Row {number} {'lacks' if lacking else 'has'} {wrong[:60]!r}"
            f"{', which its features are looked up by' if lacking else ', by which nothing is looked up'}",
            expected=f"the keys {', '.join(sorted(keys))}",
            action=near_miss(wrong, strange if lacking else keys - row.keys()),
            field=wrong,
            row=number,
        )


def _unavailable(what: str) -> DataError:
    return DataError(
        what,
        expected="features online, by the definitions of the release",
        action="Try again; vectors of your own are answered meanwhile by /v2/models/<system>/infer",
        unavailable=True,
    )
