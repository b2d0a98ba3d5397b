"""What a change reaches among classical models: the edges that this room adds to the walk of `core.reach`.

file ─► dataset, feature view, system          feature view ─► feature ─► live release
dataset ─► feature view, feature set, system ─► its assets and their checks, its live releases, its consumers

Records say what was made from what; a live release's own definitions and training set say what it stands on, whatever has
been written since; YAML says what will be read next time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.reach import Edge
from ops_pipelines.core.release import Release
from ops_pipelines.core.walk import Thing
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.provenance import ARTEFACT, RELEASE

FILE, ASSET, SYSTEM, LIVE, CHECK = "file", "asset", "system", "live release", "check"
FEATURE, VIEW, SERVICE, FEATURE_SET = "feature", "feature view", "feature service", "feature set"


@dataclass(frozen=True, slots=True)
class Live:
    """A release that is live in an environment, with the features that it asks for and what it was trained on.

    `service` is None and `inputs` are empty where the release has no such part.
    """

    environment: str
    release: Release
    service: FeatureService | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def system(self) -> str:
        return self.release.manifest.system

    @property
    def thing(self) -> Thing:
        return RELEASE, f"{self.system}/{self.release.digest}"


def edges_of_records(records: Iterable[Artefact], systems: Sequence[str]) -> Iterator[Edge]:
    """What was made from what, of whole assets and of their partitions, and what each asset is checked by.

    An asset belongs to the system or the feature set that its key begins with.
    """
    for made in records:
        for read in made.inputs:
            yield (ARTEFACT, read), (ARTEFACT, made.address)
            yield (ASSET, read.partition("@")[0]), (ASSET, made.key)
        for check in _checks(made):
            yield (ASSET, made.key), (CHECK, f"{made.key}: {check}")
        owner, _, part = made.key.partition("/")
        if part:
            yield (SYSTEM if owner in systems else FEATURE_SET, owner), (ASSET, made.key)


def edges_of_live(live: Sequence[Live]) -> Iterator[Edge]:
    """What the live releases stand on: features by name, data by week, the training set, and the releases they use."""
    for one in live:
        yield (SYSTEM, one.system), one.thing
        yield one.thing, (LIVE, f"{one.system} in {one.environment}")
        yield from ((feature, one.thing) for feature in _features(one.service))
        for read in one.inputs:
            yield (ARTEFACT, read), one.thing
            yield (ASSET, read.partition("@")[0]), one.thing
        if training_set := one.release.latest.facts.get("training_set"):
            yield (ARTEFACT, str(training_set)), one.thing
        yield from _edges_of_composite(one)


def edges_of_release(release: Thing, records: Iterable[Artefact]) -> Iterator[Edge]:
    """What was made with one release: the partitions that it scored, and those about them."""
    for made in records:
        if digest := made.facts.get("release"):
            maker = RELEASE, f"{made.key.partition('/')[0]}/{digest}"
            if maker == release:
                yield maker, (ARTEFACT, made.address)


def edges_of_service(service: FeatureService, feature_set: str) -> Iterator[Edge]:
    """What the definitions say that were applied: dataset, view, feature, service, feature set."""
    yield (SERVICE, service.name), (FEATURE_SET, feature_set)
    for table in service.tables:
        yield (ASSET, table.dataset), (VIEW, table.name)
        yield (VIEW, table.name), (SERVICE, service.name)
        for feature in table.features:
            yield (VIEW, table.name), (FEATURE, feature)
            yield (FEATURE, feature), (FEATURE_SET, feature_set)


def edges_of_declared(kind: str, name: str, attributes: Mapping[str, Any]) -> Iterator[Edge]:
    """What one component's YAML says that it reads; nothing for a kind that this room does not know."""
    match kind:
        case "Dataset":
            yield from (((ASSET, read), (ASSET, name)) for read in attributes.get("reads", {}))
        case "FeatureSet":
            yield (SERVICE, str(attributes.get("service"))), (FEATURE_SET, name)
            yield from (((ASSET, read), (FEATURE_SET, name)) for read in attributes.get("datasets", []))
        case "Model":
            yield (FEATURE_SET, str(attributes.get("features"))), (SYSTEM, name)
            for part in ("entities", "labels"):
                yield (ASSET, str(attributes.get(part, {}).get("dataset"))), (SYSTEM, name)
        case "Release":
            used = (*attributes.get("uses", {}), *attributes.get("operates", ()))
            yield from (((SYSTEM, str(system)), (SYSTEM, name)) for system in used)


def thing_declared(kind: str, name: str) -> Thing:
    """The thing that a component's YAML declares: an asset, for a kind that this room does not know."""
    return {"FeatureSet": FEATURE_SET, "Model": SYSTEM, "Release": SYSTEM}.get(kind, ASSET), name


def _edges_of_composite(one: Live) -> Iterator[Edge]:
    """A composite is reached by what it uses, pinned, and by what it operates, whichever release of that is live."""
    manifest = one.release.manifest
    for system, digest in manifest.uses.items():
        yield (RELEASE, f"{system}/{digest}"), (SYSTEM, one.system)
        yield (SYSTEM, system), (SYSTEM, one.system)
    for system in manifest.operates:
        yield (SYSTEM, system), (SYSTEM, one.system)


def _features(service: FeatureService | None) -> Iterator[Thing]:
    for table in service.tables if service else ():
        yield VIEW, table.name
        yield from ((FEATURE, feature) for feature in table.features)


def _checks(made: Artefact) -> tuple[str, ...]:
    own = made.facts.get("check")
    return (*([str(own)] if own else []), *made.findings)
