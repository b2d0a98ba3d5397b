"""What made a prediction, a model version or a release: the kinds that this room adds to the walk of `core.walk`.

prediction ─► release ─► its parts, the releases it uses, and
           │             training set ─► features and labels by week ─► raw data by week
           └► predictions of its week ─► features of that week
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ops_pipelines.core.errors import ConfigError, NoAcceptedData, ReleaseError, near_miss
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.lineage import Artefact, address
from ops_pipelines.core.release import Evidence, Release, ReleaseStore, find_release
from ops_pipelines.core.verdict import name_of
from ops_pipelines.core.walk import Node, Room, Thing
from ops_pipelines.mlops.prediction_log import Answer

PREDICTION, VERSION, RELEASE, ARTEFACT, PART = "prediction", "model version", "release", "artefact", "part"
MODELS, ONLINE = "models:/", "online"
FORMS = (
    "a prediction id",
    "models:/<system>/<version>",
    "<asset>@<partition>",
    "the first digits of a release",
)
_NAMED = ("run", "commit", "mlflow_run", "model_version", "training_set")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the walk of this room looks.

    `latest` and `good` give what was written and what was accepted last at an address, `replaced` the record of a content
    that lay there before, by its digest. `row` is one prediction of the scores at an address, `served` one that a server
    made and that was compacted, with the address of its week; `online` one that still lies in the log. `inputs` finds
    what a content of this digest was made from, and `size` how many bytes a part of a release has; None for no such part.
    """

    releases: ReleaseStore
    systems: tuple[str, ...]
    latest: Callable[[str], Artefact | None]
    good: Callable[[str], Artefact | None]
    row: Callable[[str, str], Mapping[str, Any] | None]
    replaced: Callable[[str, str], Artefact | None] = lambda _address, _digest: None
    online: Callable[[str], Answer | None] = lambda _id: None
    served: Callable[[str], tuple[str, Mapping[str, Any]] | None] = lambda _id: None
    inputs: Callable[[str], Mapping[str, str]] = lambda _digest: {}
    size: Callable[[str], int | None] = lambda _digest: None
    written: Callable[[], Iterable[str]] = lambda: ()


def room_of(sources: Sources) -> Room:
    """The kinds of this room, and the names that it understands.

    A prediction is `flight_delay/2013-03-12/UA1545-EWR-20130312/0f3a...`, one that a server made
    `flight_delay/online/<unique>/0f3a...`, a model version `models:/flight_delay/3`, an artefact `flights@2013-03-12` or,
    where it has no partitions, `aircraft`, and a release the first digits of its digest.
    """
    known = {PREDICTION: _prediction, VERSION: _version, RELEASE: _release, ARTEFACT: _artefact, PART: _part}
    finders = {kind: partial(find, sources=sources) for kind, find in known.items()}
    return Room(finders, partial(_named, sources=sources), FORMS)


def _named(name: str, sources: Sources) -> Thing | None:
    if name.startswith(MODELS):
        return VERSION, name
    if "@" not in name and sources.latest(address(name)):
        return ARTEFACT, address(name)
    if name.count("/") >= 3:  # before the next, since an entity's key may hold an @
        return PREDICTION, name
    if "@" in name:
        return ARTEFACT, _written(name, sources)
    for system in sources.systems:
        found = [r.digest for r in sources.releases.releases(system) if len(name) >= 4 and r.digest.startswith(name)]
        if len(found) == 1:
            return RELEASE, f"{system}/{found[0]}"
    return None


def _written(name: str, sources: Sources) -> str:
    """An address at which something was written; ConfigError with the nearest one for any other."""
    if sources.latest(name):
        return name
    near = near_miss(name, sources.written())
    raise ConfigError(
        f"{name} was never written",
        expected="ASSET@PARTITION of something in the lake",
        action=near if near.endswith("?") else "`ops materialize` writes it",
    )


def _prediction(id: str, sources: Sources) -> Node:
    system, week, *_ = id.split("/")
    if week == ONLINE:
        return _served(id, system, sources)
    scores = address(f"{system}/predictions", week)
    row, made = sources.row(scores, id), sources.good(scores)
    if row is None or made is None:
        raise _no_prediction(id, f"in {scores}", f"Materialize {scores}, or look the id up there")
    facts = {"score": row["score"], "release": short(row["release"])}
    return Node(PREDICTION, id, facts, (_release_of(system, row["release"]), _content(scores, made.digest)))


def _served(id: str, system: str, sources: Sources) -> Node:
    """A prediction that a server made: as it lies in the log, or else in the week that it was compacted into."""
    if answer := sources.online(id):
        told = {"score": answer.score, "release": short(answer.release), "arm": answer.arm, "entity": answer.entity}
        instants = {"asked_at": answer.asked_at.isoformat(), "served_at": answer.served_at.isoformat()}
        return Node(PREDICTION, id, told | instants, (_release_of(system, answer.release),))
    found = sources.served(id)
    made = sources.good(found[0]) if found else None
    if found is None or made is None:
        raise _no_prediction(id, f"in the log or in {system}/served", "Look the id up there")
    where, row = found
    told = {"score": row["score"], "release": short(row["release"]), "arm": row["arm"]}
    instants = {name: row[name].isoformat() for name in ("asked_at", "served_at")}
    return Node(PREDICTION, id, told | instants, (_release_of(system, row["release"]), _content(where, made.digest)))


def _no_prediction(id: str, where: str, action: str) -> NoAcceptedData:
    return NoAcceptedData(
        f"There is no prediction {id!r} {where}",
        expected="an id from the column prediction_id of that asset, or one that the server answered with",
        action=f"{action}; scoring a week again by another release replaces it, and retention ends it",
    )


def _version(id: str, sources: Sources) -> Node:
    system, _, version = id.removeprefix(MODELS).partition("/")
    for release in sources.releases.releases(system):
        for evidence in release.evidence:
            if str(evidence.facts.get("model_version")) == version:
                parent = f"{system}/{release.digest}#{evidence.digest}"
                return Node(VERSION, id, {"mlflow_run": evidence.facts["mlflow_run"]}, ((RELEASE, parent),))
    known = [str(e.facts.get("model_version")) for r in sources.releases.releases(system) for e in r.evidence]
    raise ReleaseError(
        f"{system!r} has no model version {version!r}",
        expected=f"one of {', '.join(known) or 'none yet'}",
        action=f"`ops releases {system}` lists them",
    )


def _release(id: str, sources: Sources) -> Node:
    """A release with the evidence that `#` names, or with the latest."""
    system, _, rest = id.partition("/")
    digest, _, proof = rest.partition("#")
    release = find_release(sources.releases, system, digest)
    evidence = release.evidence_of(proof)
    facts = {
        "gate": name_of(evidence.verdict),
        "cut_off": evidence.cut_off.isoformat(),
        **{name: evidence.facts.get(name) for name in _NAMED},
        **{name: short(part) for name, part in release.manifest.behaviour.items()},
    }
    return Node(RELEASE, f"{system}/{release.digest}", facts, _parts(release, evidence))


def _parts(release: Release, evidence: Evidence) -> tuple[Thing, ...]:
    manifest, training_set = release.manifest, evidence.facts.get("training_set")
    data = [_content(str(training_set), manifest.behaviour["dataset"])] if training_set else []
    data += _read(evidence.facts.get("inputs", {}))
    used = [_release_of(system, digest) for system, digest in manifest.uses.items()]
    return (*data, *used, *((PART, f"{name}@{digest}") for name, digest in manifest.behaviour.items()))


def _part(id: str, sources: Sources) -> Node:
    name, _, digest = id.partition("@")
    size = sources.size(digest)
    facts = {"digest": short(digest), "bytes": size}
    return Node(PART, id, facts, missing=f"the bytes of {name} {short(digest)} are not kept" if size is None else "")


def _artefact(id: str, sources: Sources) -> Node:
    """An artefact as it lies in the lake, or as it was; of a content without a record, only what was kept of it."""
    where, _, wanted = id.partition("#")
    there = sources.good(where) if wanted else sources.latest(where)
    if there is not None and wanted in ("", there.digest):
        return Node(ARTEFACT, where, _facts(there), _made_by(there))
    state = f"replaced since by {short(there.digest)}" if there else "no longer in the lake"
    if was := sources.replaced(where, wanted):
        return Node(ARTEFACT, where, {**_facts(was), "state": state}, _made_by(was))
    is_kept = sources.size(wanted) is not None  # a training set's manifest, or a feature service, by content
    facts = {"digest": short(wanted), "state": state}
    return Node(ARTEFACT, where, facts, _read(sources.inputs(wanted)), "" if is_kept else state)


def _facts(made: Artefact) -> dict[str, Any]:
    return {
        "digest": short(made.digest),
        "verdict": name_of(made.verdict),
        "run": made.origin.run_id,
        "commit": made.origin.commit,
        "made_at": made.origin.at.isoformat(timespec="seconds"),
    }


def _made_by(made: Artefact) -> tuple[Thing, ...]:
    system, digest = made.key.partition("/")[0], made.facts.get("release")
    return ((_release_of(system, str(digest)),) if digest else ()) + _read(made.inputs)


def _read(inputs: Mapping[str, str]) -> tuple[Thing, ...]:
    return tuple(_content(name, digest) for name, digest in inputs.items())


def _content(where: str, digest: str) -> Thing:
    return ARTEFACT, f"{where}#{digest}"


def _release_of(system: str, digest: str) -> Thing:
    return RELEASE, f"{system}/{digest}"
