"""What lies in a home and what names what, for `core.retention`, and the sweep that carries a plan out.

    content   what was written at `key@partition#digest`; its file is `data`, `refused`, or the `record` that it left behind
    object    bytes by their digest
    report    a page for people, named by the content that tells where it is
    log rows  what a server answered in a week, or was asked and answered on a day, once the lake holds every one of them;
              the runs of agents that began on a day, for as long as other weeks are kept, and what their gates kept:
              approvals, decisions and effects, each day once all of it is settled and the log has none of its runs
    snapshot  one of a corpus, at `corpus#digest`; the latest of each corpus stays

Whatever reads as a digest in a record or in a kept JSON document counts as naming that object: too much is kept rather than
too little. Before a thing is deleted it is looked at again: what was written meanwhile stays.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.agent_logs import AGENT_RUNS
from ops_pipelines.adapters.compacted import compacted_ids
from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.corpus_snapshots import CONTENT, OBJECT, stored_snapshots
from ops_pipelines.adapters.daily_logs import daily_logs
from ops_pipelines.adapters.files import written_aside
from ops_pipelines.adapters.lake import RECORD
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.reports import Reports
from ops_pipelines.adapters.retained_gates import forget_day, gate_logs, purses_of, settled_days
from ops_pipelines.adapters.run_retention import STEPS_OF_DAYS, compacted_days, forgettable
from ops_pipelines.core.clock import Window, window_of_day
from ops_pipelines.core.fingerprint import canonical_json, digest_json
from ops_pipelines.core.lineage import STATIC, Artefact
from ops_pipelines.core.principal import EVERY, RETAIN
from ops_pipelines.core.reach import Edge
from ops_pipelines.core.release import Release
from ops_pipelines.core.retention import BEING_WRITTEN, Fate, Plan, Rule, Stored, plan_retention
from ops_pipelines.core.walk import Thing
from ops_pipelines.mlops.served import ID, SERVED

REPORT, ROWS = "report", "log rows"
_RECORDS_OF_RELEASES = ("checkpoint", "release")
_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Survey:
    """What is stored, what releases name, and what names what."""

    stored: tuple[Stored, ...]
    roots: tuple[Thing, ...]
    edges: tuple[Edge, ...]
    chains: tuple[Edge, ...]


def plan_for(platform: Platform, *, keep_weeks: int) -> Plan:
    """What retention would do now; nothing is touched. ConfigError for less than one week."""
    rule = Rule(platform.clock.as_of(), platform.clock.wall(), keep_weeks)
    found = survey(platform)
    return plan_retention(found.stored, rule, roots=found.roots, edges=found.edges, chains=found.chains)


def survey(platform: Platform) -> Survey:
    """Everything that lies in a home, with the releases of every system and what the retraining log asked for."""
    lake, snapshots, runs = list(platform.lake.stored()), list(stored_snapshots(platform)), list(_stored_runs(platform))
    gates = list(_stored_gates(platform, {one.thing for one in runs}))
    stored = [
        *_stored_rows(platform),  # before the content that they were compacted into, by which they are known to be kept
        *_stored_days(platform),
        *runs,
        *(stored for stored, _ in gates),  # after the runs, which go before them
        *(_stored_content(platform, kind, made, file) for kind, made, file in lake),
        *(_stored_object(file) for file in platform.objects.files()),
        *(_stored_report(file) for file in Reports(platform.project.home).files()),
        *(found.stored for found in snapshots),
    ]
    made = [artefact for _, artefact, _ in lake]
    edges = [edge for kind, artefact, _ in lake for edge in _edges_of_content(kind, artefact)]
    chains = [edge for edge in edges if _is_chain(edge)]
    named = [edge for edge in edges if not _is_chain(edge)] + list(_edges_of_objects(platform))
    named += [edge for found in snapshots for edge in found.edges] + [edge for _, edges in gates for edge in edges]
    return Survey(tuple(stored), tuple(_roots(platform, made)), tuple(named), tuple(chains))


def sweep(platform: Platform, plan: Plan, *, actor: str) -> list[Fate]:
    """Delete what a plan says, having written the plan down; what was deleted. What was written meanwhile stays.

    NotAllowed where the token may not. The audit tells of it before anything goes, with the digest of the plan.
    """
    who = platform.access.whoever_may(RETAIN, EVERY, EVERY, otherwise=actor)
    wall = platform.clock.wall()
    told = {"things": len(plan.going), "plan": digest_json([fate.to_json() for fate in plan.going])}
    platform.audit.append(at=wall, actor=who, action=RETAIN, subject="home", facts=told)
    folder = platform.project.home / "retention"
    with written_aside(folder / f"{wall:%Y%m%dT%H%M%S%f}.json") as aside:
        aside.write_bytes(canonical_json([fate.to_json() for fate in plan.going]))
    return [fate for fate in plan.going if _delete(platform, fate.stored.thing, wall - BEING_WRITTEN)]


def _delete(platform: Platform, thing: Thing, before: datetime) -> bool:
    """Whether a thing was deleted: not where it was written since an instant, or is not there any more."""
    kind, name = thing
    where, _, digest = name.partition("#")
    match kind:
        case "object":
            return platform.objects.remove(name, before=before)
        case "report":
            return Reports(platform.project.home).remove(*name.split("/"), before=before)
        case "log rows":
            return _forget(platform, *name.split("@"))
        case "snapshot":
            return Corpora(platform.project.home).index(where).drop(digest, before=before)
        case _:
            return platform.lake.remove(*where.split("@"), kind=kind, digest=digest, before=before)


def _forget(platform: Platform, where: str, partition: str) -> bool:
    """Whether the log forgot the rows of a week of a system, or of a day of one of its daily logs."""
    if where == STEPS_OF_DAYS:
        return _forget_runs(platform, forgettable(platform, partition))
    if where in gate_logs(platform):
        return forget_day(platform, where, partition)
    system, _, part = where.rpartition("/")
    if log := daily_logs(platform).get(part):
        return bool(log.forget(log.compacted(platform.lake, system, partition)))
    return bool(platform.predictions.forget(_compacted_rows(platform, where, partition)))


def _forget_runs(platform: Platform, runs: set[str]) -> bool:
    """Whether the log forgot some runs; with them goes what they had spent."""
    gone = platform.runs.forget(runs)
    platform.budgets.forget(purses_of({run for run in runs if not platform.runs.steps(run)}))
    return bool(gone)


def _stored_content(platform: Platform, kind: str, made: Artefact, file: Path) -> Stored:
    ends = _end_of_day(platform, made) or _end_of(made.partition)
    is_whole = kind != RECORD and ends is None  # a partition that is no week is as present as a whole dataset
    return Stored((kind, _name(made)), file.stat().st_size, _written(file), ends, is_whole)


def _stored_object(file: Path) -> Stored:
    return Stored((OBJECT, file.name), file.stat().st_size, _written(file))


def _stored_report(file: Path) -> Stored:
    return Stored((REPORT, f"{file.parent.name}/{file.stem}"), file.stat().st_size, _written(file), _end_of(file.stem))


def _stored_rows(platform: Platform) -> Iterator[Stored]:
    """The log rows of each week of which the lake holds every one; rows that are not compacted are not even looked at."""
    for system in platform.releases.systems():
        key = f"{system}/{SERVED}"
        for week in platform.lake.partitions(key):
            if _compacted_rows(platform, system, week):
                yield Stored((ROWS, f"{system}@{week}"), 0, _written(platform.lake.file(key, week)))


def _stored_days(platform: Platform) -> Iterator[Stored]:
    """The log rows of each day of which the lake holds every one, of answers and of calls."""
    for part, log in daily_logs(platform).items():
        for system in platform.lake.systems_with(part):
            key = f"{system}/{part}"
            for day in platform.lake.partitions(key):
                if log.compacted(platform.lake, system, day):
                    yield Stored((ROWS, f"{key}@{day}"), 0, _written(platform.lake.file(key, day)))


def _stored_runs(platform: Platform) -> Iterator[Stored]:
    """The runs of each day of which the lake holds every step, as old as their day: they are replayed from the log."""
    for day, ended in compacted_days(platform):
        written = _written(platform.lake.file(STEPS_OF_DAYS, day))
        yield Stored((ROWS, f"{STEPS_OF_DAYS}@{day}"), 0, written, ended + _replayed(platform))


def _stored_gates(platform: Platform, runs: set[Thing]) -> Iterator[tuple[Stored, list[Edge]]]:
    """What gates kept of each day, as old as it, where every run of it is gone or can go; the days of those name it."""
    for key, day, run_days in settled_days(platform):
        here, of = (ROWS, f"{key}@{day}"), [(ROWS, f"{STEPS_OF_DAYS}@{one}") for one in sorted(run_days)]
        if runs.issuperset(of):
            ended = window_of_day(day).end
            yield Stored(here, 0, ended, ended + _replayed(platform)), [(one, here) for one in of]


def _compacted_rows(platform: Platform, system: str, week: str) -> set[str]:
    """The ids of a week in the log; none where the lake lacks one of them, or refused what was compacted last."""
    ids = {answer.id for answer in platform.predictions.answers(system, _window(week))}
    return ids if ids and ids <= compacted_ids(platform.lake, f"{system}/{SERVED}", week, column=ID) else set()


def _roots(platform: Platform, made: list[Artefact]) -> Iterator[Thing]:
    """What the manifests and their evidence name, what they were made and promoted by, and what somebody asked for."""
    asked = set()
    for system in platform.releases.systems():
        for release in platform.releases.releases(system):
            yield from _named_by(release)
        for request in platform.retraining.requests(system):
            asked |= {f"{system}/{part}@{request.week}" for part in ("training_set", "checkpoint")}
    for artefact in made:
        if artefact.key.rpartition("/")[2] in _RECORDS_OF_RELEASES or artefact.address in asked:
            yield CONTENT, _name(artefact)


def _named_by(release: Release) -> Iterator[Thing]:
    yield from ((OBJECT, digest) for digest in release.manifest.behaviour.values())
    for evidence in release.evidence:
        yield from ((OBJECT, digest) for digest in _digests(evidence.to_json()))
        if (where := evidence.facts.get("training_set")) and "dataset" in release.manifest.behaviour:
            yield CONTENT, f"{where}#{release.manifest.behaviour['dataset']}"


def _edges_of_content(kind: str, made: Artefact) -> Iterator[Edge]:
    """A content names its file, its inputs, and every object whose digest stands in its record."""
    here = CONTENT, _name(made)
    yield here, (kind, _name(made))
    yield (kind, _name(made)), here  # whoever keeps the file keeps what its content names
    yield from ((here, (CONTENT, f"{where}#{digest}")) for where, digest in made.inputs.items())
    yield from ((here, (OBJECT, digest)) for digest in _digests(made.to_json()))
    if "url" in made.facts:
        yield here, (REPORT, f"{made.key.partition('/')[0]}/{made.partition}")


def _edges_of_objects(platform: Platform) -> Iterator[Edge]:
    """What the JSON documents among the objects name: the data that a training set was made from, and other objects."""
    for file in platform.objects.files():
        document = _document(file)
        here = OBJECT, file.name
        yield from ((here, (OBJECT, digest)) for digest in _digests(document))
        inputs = document.get("inputs") if isinstance(document, Mapping) else None
        for where, digest in (inputs if isinstance(inputs, Mapping) else {}).items():
            yield here, (CONTENT, f"{where}#{digest}")


def _document(file: Path) -> Any:
    """The JSON in an object; None for any other bytes."""
    with file.open("rb") as opened:
        if opened.read(1) not in {b"{", b"["}:
            return None
    try:
        return json.loads(file.read_bytes())
    except ValueError:
        return None


def _digests(document: Any) -> Iterator[str]:
    """Every text in a JSON document that reads as a digest."""
    if isinstance(document, Mapping):
        for value in document.values():
            yield from _digests(value)
    elif isinstance(document, (list, tuple)):
        for value in document:
            yield from _digests(value)
    elif isinstance(document, str) and len(document) == _DIGITS and set(document) <= set("0123456789abcdef"):
        yield document


def _is_chain(edge: Edge) -> bool:
    """Whether an edge leads from a partition to an earlier one of the same asset."""
    (kind, name), (other_kind, other) = edge
    key, _, partition = name.partition("#")[0].partition("@")
    other_key, _, other_partition = other.partition("#")[0].partition("@")
    return kind == other_kind == CONTENT and key == other_key and other_partition < partition


def _name(made: Artefact) -> str:
    return f"{made.address}#{made.digest}"


def _written(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _end_of_day(platform: Platform, made: Artefact) -> datetime | None:
    """The end of the day that a partition of a daily log is named after, as the platform's clock tells ages."""
    folder, _, part = made.key.rpartition("/")
    if folder != AGENT_RUNS and part not in daily_logs(platform):
        return None
    return window_of_day(made.partition).end + _replayed(platform)


def _replayed(platform: Platform) -> timedelta:
    """How far the logical instant is from the wall's, of which such days are."""
    return platform.clock.as_of() - platform.clock.wall()


def _end_of(partition: str) -> datetime | None:
    """The end of the week that a partition is named after; None for one that is no week."""
    try:
        return None if partition == STATIC else _window(partition).end
    except ValueError:
        return None


def _window(week: str) -> Window:
    start = datetime.combine(date.fromisoformat(week), time(), UTC)
    return Window(start, start + timedelta(weeks=1))
