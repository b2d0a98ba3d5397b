"""Which release answers for each system, and how it changes under way.

One thread looks at the pointer several times a second. What has to be live is loaded and warmed beside what is live; then
one reference is replaced. A request takes that reference once, so it ends on the release that it began with, and no
lock stands in its way. What was live stays warm, so that taking it back is the same replacement and costs nothing.

Where a store is gone, or a release cannot be loaded, what is live goes on answering, and the board says why.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from ops_pipelines.adapters.served_release import ServedRelease
from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.core.errors import OpsError, ReleaseError, near_miss
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.pointer import check_chain, live_move
from ops_pipelines.core.release import Release, ReleaseStore
from ops_pipelines.mlops.canary import Canary, still_runs, takes
from ops_pipelines.mlops.prediction_log import CANARY, LIVE
from ops_pipelines.mlops.serving import previous_release

RETRY_SECONDS, RETRY_AT_MOST = 0.25, 30.0
"""After a failed load the next waits this long, or ten times what the load took: a large file is not hashed all day."""


class Stores(Protocol):
    """What the board reads, none of which it writes."""

    def has_changed(self) -> bool:
        """Whether anything was written since the last look; DataError where that cannot be told."""

    def systems(self) -> Sequence[str]:
        """The systems to serve."""

    def canary(self, system: str) -> Canary | None:
        """The canary that runs beside a system's live release."""

    def pinned(self, system: str) -> Sequence[str]:
        """The releases of a system that live composites use, whatever its own pointer names."""

    def load(self, release: Release) -> ServedRelease:
        """A release, warm; an OpsError where it must not or cannot answer."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Where the requests of a system go, replaced as one: the live release, and a canary's share to its candidate."""

    live: ServedRelease
    canary: Canary | None = None
    candidate: ServedRelease | None = None

    def choose(self, key: str) -> tuple[ServedRelease, str]:
        """The release that answers a key, the same one for the same key, and by which arm."""
        if self.candidate is not None and self.canary is not None and takes(self.canary, key):
            return self.candidate, CANARY
        return self.live, LIVE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the stores ask for: the live release, what was live before it, a canary, and what composites have pinned."""

    live: str | None = None
    previous: str | None = None
    canary: Canary | None = None
    pinned: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        """What has to be warm, the most urgent first."""
        named = (self.live, self.canary.candidate if self.canary else None, *self.pinned, self.previous)
        return tuple(dict.fromkeys(digest for digest in named if digest))


@dataclass(frozen=True, slots=True)
class Failure:
    """A load that did not succeed: why, when, and how long it took, by the monotonic clock."""

    why: str
    at: float
    took: float

    def may_retry(self, now: float) -> bool:
        return now - self.at >= min(max(RETRY_SECONDS, 10 * self.took), RETRY_AT_MOST)


@dataclass(slots=True)
class Slot:
    """One system: where its requests go, what is warm, and what went wrong."""

    system: str
    routes: Routes | None = None
    wanted: Wanted = field(default_factory=Wanted)
    warm: dict[str, ServedRelease] = field(default_factory=dict)
    known: dict[str, Release] = field(default_factory=dict)
    loading: dict[str, "Future[ServedRelease | Failure]"] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    problem: str | None = None
    swaps: int = 0

    def release(self, version: str | None = None) -> ServedRelease:
        """The live release, or the warm one whose digest begins with `version`.

        Refused with 503 where the system cannot answer yet, and with 404 where no warm release has this version.
        """
        routes = self.routes
        if routes is None:
            why = "; ".join(self.describe()["problems"]) or "it is being loaded"
            raise Refused(503, f"{self.system!r} cannot answer: {why}", expected="a live release", action="Come again")
        if version is None:
            return routes.live
        warm = list(self.warm.values())
        found = [release for release in warm if len(version) >= 4 and release.digest.startswith(version)]
        if len(found) != 1:
            raise Refused(
                404,
                f"{self.system!r} serves no version {version[:64]!r}",
                expected=f"one of {', '.join(sorted(release.version for release in warm))}",
                action="Ask without a version for the live release",
                field="version",
            )
        return found[0]

    def settled(self) -> bool:
        """Whether the release that should be live is, or cannot be loaded."""
        live = self.wanted.live
        return live is None or live in self.failures or (self.routes is not None and self.routes.live.digest == live)

    def describe(self) -> dict[str, Any]:
        """The state for people: plain JSON."""
        routes = self.routes
        problems = [self.problem] if self.problem else []
        failures = dict(self.failures)  # the watching thread writes the other one meanwhile
        problems += [f"release {short(digest)} is not loaded: {failure.why}" for digest, failure in failures.items()]
        return {
            "release": routes.live.digest if routes else None,
            "wanted": self.wanted.live,
            "warm": sorted(self.warm),
            "loading": sorted(self.loading),
            "canary": {"candidate": routes.canary.candidate, "share": routes.canary.share}
            if routes and routes.canary and routes.candidate
            else None,
            "swaps": self.swaps,
            "problems": problems,
        }


Told = Callable[[str, Mapping[str, Any]], None]
"""Hears of an event by its name and its facts."""


class Board:
    """The slots of all systems. `look` is called by one thread; requests read `slots` and a slot's `routes`."""

    def __init__(
        self, releases: ReleaseStore, stores: Stores, loader: Executor, *, environment: str, tell: Told
    ) -> None:
        self.slots: dict[str, Slot] = {}
        self.store_problem: str | None = None
        self.environment = environment
        self._releases, self._stores, self._loader, self._tell = releases, stores, loader, tell
        self._wake = threading.Event()
        self._unread = True

    def slot(self, system: str) -> Slot:
        """The slot of a system; Refused with 404 and the nearest name for one that is not served."""
        slot = self.slots.get(system)
        if slot is None:
            raise Refused(
                404,
                f"No system {system[:64]!r} is served here",
                expected="a Model with a release that is live",
                action=near_miss(system, self.slots),
                field="system",
            )
        return slot

    def look(self) -> bool:
        """Reads what is wanted where anything was written, and brings every slot closer to it; whether it was written."""
        changed = self._read_stores()
        for slot in self.slots.values():
            self._settle(slot)
        return changed

    def rest(self, period_seconds: float) -> None:
        """Waits for the next look: a period, or less where a load has ended."""
        self._wake.wait(period_seconds)
        self._wake.clear()

    def wake(self) -> None:
        """Lets the watching thread look now."""
        self._wake.set()

    def settled(self) -> bool:
        """Whether every system answers by the release that it should, or says why not."""
        return all(slot.settled() for slot in list(self.slots.values()))

    def _read_stores(self) -> bool:
        try:
            # What was seen to change and then could not be read is still unread at the next look.
            changed = self._unread = self._stores.has_changed() or self._unread
            if changed:
                self._read_systems()
            self._unread = False
        except Exception as error:  # whatever a store raises, the watching thread has to go on and look again
            self._store_is_gone(str(error) or type(error).__name__)
            return False
        if self.store_problem:
            self._tell("store_returned", {})
            self.store_problem = None
        return changed

    def _read_systems(self) -> None:
        """Reads each system, also where another one cannot be read; then the first error is raised."""
        errors = []
        for system in self._stores.systems():
            slot = self.slots.setdefault(system, Slot(system))
            try:
                self._read(slot)
                self._find_wanted(slot)
            except OpsError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _store_is_gone(self, why: str) -> None:
        if self.store_problem is None:
            self._tell("store_gone", {"why": why})
        self.store_problem = why

    def _read(self, slot: Slot) -> None:
        """What the pointer asks of one system; a broken history changes nothing, and is told."""
        history = self._releases.history(slot.system, self.environment)
        try:
            check_chain(history)
        except OpsError as error:
            slot.problem = str(error)
            return
        move = live_move(history)
        live = move.release if move else None
        canary = self._stores.canary(slot.system)
        counts = canary if canary and still_runs(canary, live) else None
        slot.wanted = Wanted(live, previous_release(history), counts, tuple(self._stores.pinned(slot.system)))
        slot.problem = None if live else f"nothing is live in {self.environment!r}"

    def _find_wanted(self, slot: Slot) -> None:
        """The manifests of what has to be loaded: a load, and each of its retries, then asks for objects alone."""
        missing = [digest for digest in slot.wanted.digests if digest not in slot.warm]
        saved = self._releases.releases(slot.system) if missing else ()
        slot.known = {release.digest: release for release in saved if release.digest in missing}

    def _settle(self, slot: Slot) -> None:
        self._collect(slot)
        routes = self._routes(slot)
        if routes is not None and routes != slot.routes:
            self._swap(slot, routes)
        kept = set(slot.wanted.digests)
        for digest in [digest for digest in slot.warm if digest not in kept and not self._answers(slot, digest)]:
            del slot.warm[digest]
        slot.failures = {digest: failure for digest, failure in slot.failures.items() if digest in kept}
        for digest in slot.wanted.digests:
            self._load_unless_warm(slot, digest)

    def _answers(self, slot: Slot, digest: str) -> bool:
        return slot.routes is not None and slot.routes.live.digest == digest

    def _collect(self, slot: Slot) -> None:
        """Takes in the loads that have ended."""
        for digest in [digest for digest, loading in slot.loading.items() if loading.done()]:
            ended = slot.loading.pop(digest).result()
            if isinstance(ended, Failure):
                if digest not in slot.failures:
                    facts = {"system": slot.system, "release": short(digest), "why": ended.why}
                    self._tell("release_not_loaded", facts)
                slot.failures[digest] = ended
            else:
                slot.warm[digest] = ended
                slot.failures.pop(digest, None)

    def _routes(self, slot: Slot) -> Routes | None:
        """Where requests should go by what is warm: the wanted release, else the one that answers now."""
        live = slot.warm.get(slot.wanted.live or "") or (slot.routes.live if slot.routes else None)
        if live is None:
            return None
        canary = slot.wanted.canary
        candidate = slot.warm.get(canary.candidate) if canary and canary.champion == live.digest else None
        return Routes(live, canary if candidate else None, candidate)

    def _swap(self, slot: Slot, routes: Routes) -> None:
        before, slot.routes = slot.routes, routes
        if before is None or before.live.digest != routes.live.digest:
            slot.swaps += before is not None
            facts = {"from": before.live.version if before else None, "to": routes.live.version}
            self._tell("release_live", {"system": slot.system, **facts})
        if (before.canary if before else None) != routes.canary:
            share = routes.canary.share if routes.canary else 0
            self._tell("canary_share", {"system": slot.system, "share": share})

    def _load_unless_warm(self, slot: Slot, digest: str) -> None:
        failure = slot.failures.get(digest)
        if digest in slot.warm or digest in slot.loading or (failure and not failure.may_retry(time.monotonic())):
            return
        loading = self._loader.submit(self._load, slot, digest)
        slot.loading[digest] = loading
        loading.add_done_callback(lambda _: self.wake())

    def _load(self, slot: Slot, digest: str) -> ServedRelease | Failure:
        began = time.monotonic()
        try:
            served = self._stores.load(_found(slot, digest))
        except BaseException as error:  # a model's library may raise anything, and even ask to exit
            now = time.monotonic()
            return Failure(str(error) or type(error).__name__, now, now - began)
        took = round(time.monotonic() - began, 3)
        self._tell("release_loaded", {"system": slot.system, "release": short(digest), "seconds": took})
        return served


def _found(slot: Slot, digest: str) -> Release:
    release = slot.known.get(digest)
    if release is None:
        raise ReleaseError(
            f"The pointer of {slot.system!r} names {short(digest)}, which is not among its releases",
            expected="a release whose manifest was saved",
            action="Restore control.db from a backup, or promote another release",
        )
    return release
