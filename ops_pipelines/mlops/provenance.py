"""What made a prediction, a model version or a release: the kinds that this room adds to the walk of `core.lineage`.

prediction ─► release ─► training set ─► features and labels by week ─► raw data by week
           └► predictions of its week ─► features of that week
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ops_pipelines.core.errors import ConfigError, NoAcceptedData, ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.lineage import Artefact, Node, Resolver, address
from ops_pipelines.core.release import ReleaseStore, find_release
from ops_pipelines.core.verdict import name_of

PREDICTION, VERSION, RELEASE, ARTEFACT = "prediction", "model version", "release", "artefact"
MODELS = "models:/"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the walk looks: releases, artefacts by address, one score by address and prediction id, system names.

    `inputs` finds what a content of this digest was made from, where that was kept; empty where it was not.
    """

    releases: ReleaseStore
    artefact: Callable[[str], Artefact | None]
    prediction: Callable[[str, str], Mapping[str, Any] | None]
    systems: tuple[str, ...]
    inputs: Callable[[str], Mapping[str, str]] = lambda _digest: {}


def locate(name: str, sources: Sources) -> tuple[str, str]:
    """The kind and the id of what a person named; ConfigError where it is none of the forms.

    A prediction is `flight_delay/2013-03-12/UA1545-EWR-20130312/0f3a...`, a model version `models:/flight_delay/3`, an
    artefact `flights@2013-03-12`, and a release the first digits of its digest.
    """
    if name.startswith(MODELS):
        return VERSION, name
    if "@" in name:
        return ARTEFACT, name
    if name.count("/") >= 3:
        return PREDICTION, name
    for system in sources.systems:
        found = [r.digest for r in sources.releases.releases(system) if len(name) >= 4 and r.digest.startswith(name)]
        if len(found) == 1:
            return RELEASE, f"{system}/{found[0]}"
    raise ConfigError(
        f"{name!r} names nothing that can be explained",
        expected="a prediction id, models:/<system>/<version>, <asset>@<partition>, or the first digits of a release",
        action="`ops releases SYSTEM` lists releases and versions; prediction ids stand in the predictions asset",
    )


def resolvers(sources: Sources) -> dict[str, Resolver]:
    """The resolver of each kind of this room."""
    known = {PREDICTION: _prediction, VERSION: _version, RELEASE: _release, ARTEFACT: _artefact}
    return {kind: partial(find, sources=sources) for kind, find in known.items()}


def _prediction(id: str, sources: Sources) -> Node:
    system, week, *_ = id.split("/")
    scores = address(f"{system}/predictions", week)
    row = sources.prediction(scores, id)
    if row is None:
        raise NoAcceptedData(
            f"There is no prediction {id!r} in {scores}",
            expected="an id from the column prediction_id of that asset",
            action=f"Materialize {scores}, or look the id up there; scoring a week again by another release replaces it",
        )
    facts = {"score": row["score"], "release": short(row["release"])}
    return Node(PREDICTION, id, facts, ((RELEASE, f"{system}/{row['release']}"), (ARTEFACT, scores)))


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
    named = ("run", "commit", "mlflow_run", "model_version", "training_set")
    facts = {
        "gate": name_of(evidence.verdict),
        "cut_off": evidence.cut_off.isoformat(),
        **{name: evidence.facts.get(name) for name in named},
        **{name: short(part) for name, part in release.manifest.behaviour.items()},
    }
    training_set = evidence.facts.get("training_set")
    parents = ((ARTEFACT, f"{training_set}#{release.manifest.behaviour['dataset']}"),) if training_set else ()
    return Node(RELEASE, f"{system}/{release.digest}", facts, parents)


def _artefact(id: str, sources: Sources) -> Node:
    """An artefact as it lies in the lake; of one that was replaced since it was read, only what was kept of it."""
    where, _, wanted = id.partition("#")
    found = sources.artefact(where)
    if found is None or (wanted and wanted != found.digest):
        state = f"replaced since by {short(found.digest)}" if found else "no longer in the lake"
        return Node(ARTEFACT, where, {"digest": short(wanted), "state": state}, _read(sources.inputs(wanted)))
    facts = {
        "digest": short(found.digest),
        "verdict": name_of(found.verdict),
        "run": found.origin.run_id,
        "commit": found.origin.commit,
        "made_at": found.origin.at.isoformat(timespec="seconds"),
    }
    made_by = (
        ((RELEASE, f"{found.key.partition('/')[0]}/{found.facts['release']}"),) if "release" in found.facts else ()
    )
    return Node(ARTEFACT, where, facts, made_by + _read(found.inputs))


def _read(inputs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((ARTEFACT, f"{name}#{digest}") for name, digest in inputs.items())
