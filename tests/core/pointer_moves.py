"""Promotions and rollbacks in one line each: what tests of the pointer begin with."""

from datetime import datetime

from ops_pipelines.core.pointer import (
    PRODUCTION,
    Decision,
    live_release,
    promote,
    roll_back,
)
from ops_pipelines.core.release import Move, Release, find_release
from ops_pipelines.testing.release_store import (
    NEW_YEAR,
    InMemoryReleaseStore,
    evidence_against,
    manifest_of,
)

SYSTEM = "flight_delay"


def everything_resolves(name: str, digest: str) -> bool:
    return True


def decision(as_of: datetime = NEW_YEAR, environment: str = PRODUCTION) -> Decision:
    return Decision("ada", "it is better", as_of, NEW_YEAR, environment)


def saved(store: InMemoryReleaseStore, model: str, *, baseline: str | None = None, **evidence) -> Release:
    store.save(manifest_of(model), evidence_against(baseline, **evidence))
    return find_release(store, SYSTEM, manifest_of(model).digest)


def go_live(store: InMemoryReleaseStore, *models: str, as_of: datetime = NEW_YEAR) -> list[str]:
    """Promotes models one after another, each gated against what is live; the digests of their releases."""
    for model in models:
        live = live_release(store, SYSTEM, PRODUCTION)
        release = saved(store, model, baseline=live.digest if live else None)
        promote(store, release, decision(as_of), resolves=everything_resolves)
    return [manifest_of(model).digest for model in models]


def back(store: InMemoryReleaseStore, to: str | None = None, as_of: datetime = NEW_YEAR) -> Move:
    return roll_back(store, SYSTEM, decision(as_of), to=to, resolves=everything_resolves)


def live(store: InMemoryReleaseStore) -> str:
    return live_release(store, SYSTEM, PRODUCTION).digest
