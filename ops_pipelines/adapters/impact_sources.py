"""The edges of a project's own stores and files, for the walk of `core.reach`; another layer adds its own here."""

import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.declared import Declared
from ops_pipelines.adapters.feature_files import read_feature_files
from ops_pipelines.adapters.flavours import path_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project
from ops_pipelines.agentops.agent import Agent, is_agent, read_agent
from ops_pipelines.agentops.impact import COMPONENT, edges_of_agent, edges_of_declared_agent
from ops_pipelines.core.errors import ArtefactError, ConfigError
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.reach import Edge, Reached, reach, things_named, unknown
from ops_pipelines.core.release import Release
from ops_pipelines.core.walk import Thing
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.impact import (
    FILE,
    SERVICE,
    SYSTEM,
    VIEW,
    Live,
    edges_of_declared,
    edges_of_live,
    edges_of_records,
    edges_of_release,
    edges_of_service,
    thing_declared,
)
from ops_pipelines.mlops.provenance import RELEASE

FORMS = (
    "an asset, ASSET@PARTITION, a file, a feature, a feature view, a system, an agent's tool, or the first digits of a "
    "release"
)
_LOADED = {"Dataset": "loader", "Model": "train"}
_ROOMS = ("ops_pipelines.core", "ops_pipelines.mlops")


def impact_of(
    name: str, platform: Platform, declared: Declared, *, environments: tuple[str, ...] = (PRODUCTION,)
) -> list[Reached]:
    """All that a change of the thing of a name reaches, the nearest first; ConfigError with near misses for no thing.

    A file of the project that nothing stands on reaches nothing.
    """
    records = [made for at in platform.lake.addresses() if (made := platform.good(at))]
    edges = list(edges_of(platform, declared, records, environments=environments))
    start = (
        things_named(name, edges, first=SYSTEM)
        or _file_named(name, platform.project.root)
        or _releases_named(name, platform)
    )
    if not start:
        raise unknown(name, edges, forms=FORMS)
    made_with = [edge for thing in start for edge in edges_of_release(thing, records)]
    return list(reach(start, [*edges, *made_with]))


def edges_of(
    platform: Platform, declared: Declared, records: list[Artefact], *, environments: tuple[str, ...]
) -> Iterator[Edge]:
    """Everything that is known: records in the lake, live releases, applied features, YAML, and files."""
    named = (declared.kinds.get(kind, {}) for kind in ("Model", "Release", COMPONENT))
    systems = (*platform.releases.systems(), *chain.from_iterable(named))
    yield from edges_of_records(records, systems)
    live = [one for environment in environments for one in _live(platform, environment)]
    yield from edges_of_live(live)
    yield from chain.from_iterable(edges_of_agent(one.thing, agent) for one in live if (agent := _agent(platform, one)))
    yield from chain.from_iterable(_edges_of_applied(made) for made in records)
    for kind, named in declared.kinds.items():
        for name, attributes in named.items():
            make = edges_of_declared_agent if kind == COMPONENT else partial(edges_of_declared, kind)
            yield from make(name, attributes)
    yield from _edges_of_files(platform, declared)


def _live(platform: Platform, environment: str) -> Iterator[Live]:
    for system in platform.releases.systems():
        if release := live_release(platform.releases, system, environment):
            yield Live(environment, release, _service(platform, release), _trained_on(platform, release))


def _service(platform: Platform, release: Release) -> FeatureService | None:
    record = _kept(platform, release, "features")
    return FeatureService.from_json(record) if record else None


def _trained_on(platform: Platform, release: Release) -> dict[str, str]:
    return dict((_kept(platform, release, "dataset") or {}).get("inputs", {}))


def _kept(platform: Platform, release: Release, part: str) -> dict[str, Any] | None:
    """The JSON of a part; None for a release without it, or whose part is lost: `ops why` says so."""
    digest = release.manifest.behaviour.get(part)
    try:
        found: dict[str, Any] | None = json.loads(platform.objects.get(digest)) if digest else None
    except ArtefactError:
        return None
    return found


def _edges_of_applied(made: Artefact) -> Iterator[Edge]:
    """What a feature set's definitions say, as they were applied last."""
    owner, _, part = made.key.partition("/")
    if part == "definitions" and "service" in made.facts:
        yield from edges_of_service(FeatureService.from_json(made.facts["service"]), owner)


def _edges_of_files(platform: Platform, declared: Declared) -> Iterator[Edge]:
    """Which files make what: those of a component's folder and beside its function, the feature repo's, and our rooms."""
    root = platform.project.root
    for (kind, name), folder in declared.folders.items():
        acts = kind == COMPONENT
        thing = (SYSTEM, name) if acts else thing_declared(kind, name)
        attributes = declared.kinds[kind][name]
        files = [*_sources(folder), *_beside(attributes.get(_LOADED.get(kind, "")))]
        files += _agent_files(platform.project, name, attributes) if acts else []
        if kind == "Model":
            files += [platform.project.lock, *_platform_files(str(attributes.get("flavour")))]
        yield from ((_file(file, root), thing) for file in files)
    for found in read_feature_files(platform.project.feature_repo):
        here = _file(found.path, root)
        yield from ((here, (VIEW, view)) for view in found.views)
        yield from ((here, (SERVICE, service)) for service in found.services)
        yield from ((_file(other, root), here) for other in found.imports)


def _agent(platform: Platform, live: Live) -> Agent | None:
    """The agent that a live release is; None for what is none, or whose parts are lost: `ops why` says so."""
    if not is_agent(live.release.manifest):
        return None
    try:
        return read_agent(live.release.manifest, platform.objects.get)
    except (ArtefactError, ConfigError):
        return None


def _agent_files(project: Project, name: str, attributes: Mapping[str, Any]) -> list[Path]:
    """The files of its program, of its tools and of its policy."""
    folder = project.policy_folder(name, attributes.get("policy"))
    code = (_beside(attributes.get(part)) for part in ("program", "toolset"))
    return [*chain.from_iterable(code), *sorted(file for file in folder.glob("*") if file.is_file())]


def _sources(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.iterdir()) if file.suffix in {".py", ".yaml", ".yml", ".sql"}]


def _beside(function: object) -> Iterable[Path]:
    """The Python files of the folder around a `module:function`, which all decide; none where there is no such module."""
    return sorted(found.parent.glob("*.py")) if (found := _module_file(str(function or ""))) else []


def _platform_files(flavour: str) -> Iterator[Path]:
    """The files that a model's release carries as `platform`: our rooms that split, join, judge and score, and a flavour."""
    for room in _ROOMS:
        yield from _beside(room)
    try:
        found = _module_file(path_of(flavour))
    except ConfigError:  # a flavour that nobody knows is refused where the component is loaded
        found = None
    yield from [found] if found else []


def _module_file(path: str) -> Path | None:
    """The file of a `module` or `module:function`, found and not imported."""
    try:
        spec = importlib.util.find_spec(path.partition(":")[0])
    except (ImportError, ValueError):
        spec = None
    return Path(spec.origin) if spec and spec.origin else None


def _file(file: Path, root: Path) -> Thing:
    """A file by its path from the project's root; by its whole path where it lies elsewhere."""
    return FILE, file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _releases_named(name: str, platform: Platform) -> list[Thing]:
    """The releases, live or not, whose digests begin with a name of at least four digits."""
    known = [
        (system, release) for system in platform.releases.systems() for release in platform.releases.releases(system)
    ]
    return [
        (RELEASE, f"{system}/{release.digest}")
        for system, release in known
        if len(name) >= 4 and release.digest.startswith(name)
    ]


def _file_named(name: str, root: Path) -> list[Thing]:
    """The file of a path from the root or from here; none where there is no such file."""
    found = [file for file in (root / name, Path(name).absolute()) if file.is_file()]
    return [_file(found[0], root)] if found else []
