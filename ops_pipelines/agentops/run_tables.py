"""What agents did on a day, as tables for the lake: one row a step, a decision, a state of an effect, a change of a memory.

A step is of the day on which its run began, however late it comes, so that a run lies in one partition. What went in and
what came out stays in the run log, under the digests that the rows name. An effect has a row for each state in which it was
seen: what nobody knew for a while stays told. Whom a call is about, which the gate's own files keep, is redacted here.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.agentops.effects import Entry
from ops_pipelines.agentops.memory import Change, MemoryScope, version_name
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import Step
from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import canonical_json, digest_json

if TYPE_CHECKING:
    import pyarrow as pa

STEPS, DECISIONS, EFFECTS, MEMORY = "steps", "decisions", "effects", "memory"
ID = "row"
"""The column by which rows are told apart, in each of the tables."""
SAID: Mapping[str, tuple[str, ...]] = {
    STEPS: ("run", "agent", "kind", "name", "inputs", "outputs", "error", "release", "started"),
    DECISIONS: ("run", "agent", "tool", "arguments", "what", "stage", "release", "policy"),
    EFFECTS: ("key", "tool", "arguments", "run", "release", "started_at"),
    MEMORY: ("scope", "version", "key", "value", "writer", "source"),
}
"""What may not differ between a row of the log and the same one in the lake, by table."""
_TEXTS = (
    "id",
    "run",
    "parent",
    "agent",
    "kind",
    "name",
    "inputs",
    "outputs",
    "decision",
    "error",
    "memory_version",
    "release",
)

_COUNTS = ("occurrence", "tokens", "nanos")


def table_of_steps(steps: Iterable[Step]) -> "pa.Table":
    """One row a step with its `number` in its run, in the order in which they are given; sorted by id."""
    numbers: Counter[str] = Counter()
    rows = []
    for step in steps:
        rows.append(_step_row(step, numbers[step.run]))
        numbers[step.run] += 1
    return _table(rows, times=("started", "ended"), counts=("number", *_COUNTS))


def steps_of_table(table: "pa.Table") -> tuple[Step, ...]:
    """The steps of a table, each run's in the order in which they were kept."""
    rows = sorted(table.to_pylist(), key=lambda row: (row["run"], row["number"]))
    return tuple(_step(row) for row in rows)


def table_of_decisions(decisions: Iterable[Logged], redactor: Redactor) -> "pa.Table":
    """One row a decision of the gate, redacted, with all that its policy was asked as JSON."""
    return _table((_decision_row(one, redactor) for one in decisions), times=("at",))


def table_of_effects(entries: Iterable[Entry], at: datetime, redactor: Redactor) -> "pa.Table":
    """One row an effect in the state that it is in at an instant of the wall clock, redacted."""
    return _table((_effect_row(one, at, redactor) for one in entries), times=("started_at", "ended_at"))


def table_of_changes(changes: Iterable[tuple[MemoryScope, int, Change]]) -> "pa.Table":
    """One row a change of a memory, with the version that it made."""
    return _table((_change_row(*one) for one in changes), times=("at",), counts=("version",))


def effect_id(entry: Entry, at: datetime) -> str:
    """The row of an effect in the state that it is in."""
    return f"{entry.intent.key}#{entry.state(at)}"


def decision_id(decision: Logged) -> str:
    """The row of a decision."""
    return digest_json(decision.to_json())[:32]


def _step_row(step: Step, number: int) -> dict[str, Any]:
    texts = {name: getattr(step, name) for name in _TEXTS}
    times = {name: utc(getattr(step, name)) for name in ("started", "ended")}
    counts = {"number": number, **{name: getattr(step, name) for name in _COUNTS}}
    return {ID: f"{step.run}/{step.id}", **texts, **counts, **times, "links": canonical_json(list(step.links)).decode()}


def _step(row: Mapping[str, Any]) -> Step:
    kept = {name: value for name, value in row.items() if name not in (ID, "number")}
    times = {name: utc(row[name]) for name in ("started", "ended")}
    return Step(**{**kept, **times, "links": tuple(json.loads(row["links"]))})


def _decision_row(one: Logged, redactor: Redactor) -> dict[str, Any]:
    names = ("id", "run", "agent", "release", "policy", "tool", "what", "stage")
    plain = {name: getattr(one, name) for name in names}
    said = {"arguments": redactor.json(one.arguments), "reason": redactor.text(one.reason)}
    asked = canonical_json(redactor.value(dict(one.situation))).decode()
    return {ID: decision_id(one), **plain, **said, "situation": asked, "at": utc(one.at)}


def _effect_row(entry: Entry, at: datetime, redactor: Redactor) -> dict[str, Any]:
    told = {name: value for name, value in entry.to_json(at).items() if name != "started_at"}
    told |= {name: redactor.json(told[name]) for name in ("arguments", "result")}
    ended = utc(entry.ended_at) if entry.ended_at else None
    return {ID: effect_id(entry, at), **told, "started_at": utc(entry.started_at), "ended_at": ended}


def _change_row(scope: MemoryScope, version: int, change: Change) -> dict[str, Any]:
    names = ("key", "writer", "source", "run", "step", "reason")
    plain = {name: getattr(change, name) for name in names}
    value = canonical_json(change.value).decode()
    where = {"scope": scope.name, "version": version}
    return {ID: version_name(scope, version), **where, **plain, "value": value, "at": utc(change.at)}


def _table(rows: Iterable[Mapping[str, Any]], *, times: tuple[str, ...], counts: tuple[str, ...] = ()) -> "pa.Table":
    """Rows as a table, sorted by their ids; what is neither a time nor a count is a text."""
    import pyarrow as pa

    made = list(rows)
    if not made:
        return pa.table({})
    types = {**dict.fromkeys(times, pa.timestamp("us", tz="UTC")), **dict.fromkeys(counts, pa.int64())}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in made[0]])
    return pa.Table.from_pylist(made, schema=schema).sort_by([(ID, "ascending")])
