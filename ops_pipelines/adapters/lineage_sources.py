"""The rooms of the walk over a project's own stores. What one walk has read it does not read again."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from ops_pipelines.adapters.action_sources import action_sources_of
from ops_pipelines.adapters.answerers import recipe_of
from ops_pipelines.adapters.call_records import find_answer
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops import action_provenance
from ops_pipelines.core.rebuild import Rebuilt, rebuild
from ops_pipelines.core.release import Manifest, ReleaseStore, find_release
from ops_pipelines.core.walk import Room
from ops_pipelines.llmops import provenance as answers
from ops_pipelines.llmops.answer_log import Answered
from ops_pipelines.llmops.corpus_index import IndexedSnapshot
from ops_pipelines.mlops.provenance import Sources, room_of
from ops_pipelines.mlops.served import ID, SERVED

_SAID = ("score", "release", "arm", "asked_at", "served_at")


def rooms_of(platform: Platform) -> tuple[Room, ...]:
    """The rooms that `ops why` walks through; another layer adds its own here.

    A room remembers what it has read: ask for new ones for each walk.
    """
    return (
        answers.room_of(answer_sources_of(platform)),
        action_provenance.room_of(action_sources_of(platform)),
        room_of(sources_of(platform)),
    )


def sources_of(platform: Platform) -> Sources:
    """Where the classical models' room looks, each thing read once."""
    return Sources(
        releases=_ReadOnce(platform.releases),
        systems=platform.releases.systems(),
        latest=cache(platform.latest),
        good=cache(platform.good),
        row=platform.prediction,
        replaced=lambda where, digest: platform.lake.replaced(*where.split("@"), digest),
        online=platform.predictions.find,
        served=partial(_served, platform),
        inputs=platform.inputs_of,
        size=platform.objects.size,
        written=platform.lake.addresses,
    )


def answer_sources_of(platform: Platform) -> answers.Sources:
    """Where the room of answers looks, each snapshot and release read once."""

    @cache
    def found_in(system: str, digest: str) -> tuple[str, str] | None:
        found = recipe_of(platform, find_release(platform.releases, system, digest)).found
        return (found.retrieval.corpus, found.snapshot) if found else None

    @cache
    def snapshot(corpus: str, digest: str) -> answers.Read:
        return _Opened(platform.corpora.index(corpus).at(digest))

    def answer(id: str) -> tuple[Answered, str | None] | None:
        found = find_answer(platform, id)
        return (found.answered, found.where) if found else None

    return answers.Sources(answer, platform.calls.find, found_in, snapshot)


def rebuild_release(platform: Platform, system: str, digest: str) -> Rebuilt:
    """A release made again from the bytes that the object store holds now; ReleaseError where there is no such release."""

    def known(name: str, wanted: str) -> Manifest | None:
        found = platform.release(name, wanted)
        return found.manifest if found else None

    release = find_release(platform.releases, system, digest)
    return rebuild(release.digest, release.manifest, platform.objects.read, known)


class _Opened:
    """A snapshot whose chunks are read once for a walk."""

    def __init__(self, indexed: IndexedSnapshot) -> None:
        self.snapshot = indexed.snapshot
        self.chunks = cache(indexed.chunks)


class _ReadOnce:
    """A release store whose releases and histories are read once for a walk."""

    def __init__(self, store: ReleaseStore) -> None:
        self.save, self.append = store.save, store.append
        self.releases, self.history = cache(store.releases), cache(store.history)


def _served(platform: Platform, id: str) -> tuple[str, Mapping[str, Any]] | None:
    """The row of a prediction that a server made, in the weeks that the log was compacted into, the newest first."""
    key = f"{id.partition('/')[0]}/{SERVED}"
    for week in reversed(platform.lake.partitions(key)):
        if row := platform.lake.row(key, week, column=ID, value=id, take=_SAID):
            return f"{key}@{week}", row
    return None
