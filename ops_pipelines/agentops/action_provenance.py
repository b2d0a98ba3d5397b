"""What made an agent's action: the kinds that this room adds to the walk of `core.walk`.

effect ─► approval ─► run ─► release ─► its parts (the policy, the tools, the code), and the releases that it uses
decision ─► the approval that it showed    ├► memory as it was read
step ─► run                                ├► answers that its tools were given ─► their release, their passages
                                           └► the run of which it is a fork
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from ops_pipelines.agentops.approval import Held
from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.agentops.effects import Entry
from ops_pipelines.agentops.payload import names_and_values
from ops_pipelines.agentops.replay import begun_with, fork_note
from ops_pipelines.agentops.run_log import MODEL, TOOL, Recording, Step
from ops_pipelines.agentops.run_named import run_of
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.walk import Node, Room, Thing
from ops_pipelines.llmops.answer_log import day_of_answer
from ops_pipelines.llmops.provenance import ANSWER
from ops_pipelines.mlops.provenance import RELEASE

RUN, STEP, DECISION, APPROVAL, EFFECT, MEMORY = "run", "step", "decision", "approval", "effect", "memory"
FORMS = ("the first digits of a run, an approval or a decision", "RUN/STEP", "the key of an effect, or its digits")
_DIGITS = re.compile(r"[0-9a-f]{4,32}")
_ANSWER = re.compile(r"[\w.-]+/asked/[\w./-]+")
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the walk of this room looks.

    `runs` finds the ids of the runs that begin with some digits, and `recording` one of them. `memory` is how many changes
    a version is made of; None for a scope that holds nothing. `system` names the system of a release, and `is_release`
    says whether digits name one: then they do not name a run.
    """

    runs: Callable[[str], Sequence[str]]
    recording: Callable[[str], Recording]
    approvals: Callable[[], Sequence[Held]]
    decisions: Callable[[], Sequence[Logged]]
    effects: Callable[[], Sequence[Entry]]
    memory: Callable[[str], Mapping[str, Any] | None]
    system: Callable[[str], str | None]
    is_release: Callable[[str], bool]
    now: Callable[[], datetime]


def room_of(sources: Sources) -> Room:
    """The kinds of this room; ask for it before the rooms that take any name with slashes for theirs."""
    known = {RUN: _run, STEP: _step, DECISION: _decision, APPROVAL: _approval, EFFECT: _effect, MEMORY: _memory}
    finders = {kind: partial(find, sources=sources) for kind, find in known.items()}
    return Room(finders, partial(_named, sources=sources), FORMS)


def _named(name: str, sources: Sources) -> Thing | None:
    for entry in sources.effects():
        if name in (entry.intent.key, entry.intent.digits):
            return EFFECT, entry.intent.key
    run, _, step = name.partition("/")
    if not _DIGITS.fullmatch(run) or (not step and sources.is_release(name)):
        return None
    kinds: list[tuple[str, Sequence[str]]] = [(RUN, sources.runs(run))]
    if not step:
        kinds += [(APPROVAL, [held.request.id for held in sources.approvals() if held.request.id.startswith(name)])]
        kinds += [(DECISION, [one.id for one in sources.decisions() if one.id.startswith(name)])]
    for kind, found in kinds:
        if len(found) == 1 or name in found:
            whole = name if name in found else found[0]
            return (STEP, f"{whole}/{step}") if step else (kind, whole)
    return None


def _run(id: str, sources: Sources) -> Node:
    recording = sources.recording(id)
    if not recording.steps:
        raise DataError(
            f"There is no run {id!r}", expected="one that is still kept", action="`ops agent runs` lists them", run=id
        )
    first = begun_with(recording)
    of = fork_note(recording).get("of")
    facts = {
        "agent": first.agent,
        "task": _text(recording, first.inputs),
        "began": first.started.isoformat(timespec="seconds"),
        "steps": len(recording.steps),
        "tools": ", ".join(sorted({step.name for step in recording.steps if step.kind == TOOL})) or None,
        "models": ", ".join(sorted({step.name for step in recording.steps if step.kind == MODEL})) or None,
    }
    parents = [*_release(first.release, sources), *_read(recording.steps), *_answers(recording)]
    missing = f"no release that is known here made it ({short(first.release)})" if first.release else ""
    return Node(
        RUN,
        id,
        facts,
        (*parents, *([(RUN, str(of))] if of else [])),
        missing if not _release(first.release, sources) else "",
    )


def _step(id: str, sources: Sources) -> Node:
    run, _, digits = id.partition("/")
    recording = sources.recording(run)
    found = [step for step in recording.steps if step.id.startswith(digits)]
    if len(found) != 1:
        raise DataError(
            f"The run {run} has {'no' if not found else 'more than one'} step {digits!r}",
            expected="the first digits of one of its steps' ids",
            action=f"`ops agent show {run[:12]} --json` lists them",
        )
    step = found[0]
    facts = {
        "is": f"{step.kind} {step.name}",
        "asked": _text(recording, step.inputs),
        "came_to": step.error or _text(recording, step.outputs),
        "decision": step.decision or None,
    }
    return Node(STEP, f"{run}/{step.id}", facts, ((RUN, run), *_read([step]), *_answers(recording, step)))


def _decision(id: str, sources: Sources) -> Node:
    found = next((one for one in sources.decisions() if one.id == id), None)
    if found is None:
        return Node(DECISION, id, {}, missing="the log of decisions no longer keeps it")
    names = ("tool", "arguments", "what", "stage", "reason")
    facts = {name: getattr(found, name) for name in names} | {"policy": short(found.policy)}
    return Node(DECISION, id, facts, ((RUN, run_of(found.run)),))


def _approval(id: str, sources: Sources) -> Node:
    found = next((held for held in sources.approvals() if held.request.id == id), None)
    if found is None:
        return Node(APPROVAL, id, {}, missing="the store of approvals no longer keeps it")
    request, answer = found.request, found.answer
    facts = {
        "call": f"{request.tool} {request.binding.arguments}",
        "state": found.state(sources.now()),
        "asked_by": request.requester,
        "because": request.reason,
        "answered_by": answer.approver if answer else None,
        "note": answer.note or None if answer else None,
        "at": answer.at.isoformat(timespec="seconds") if answer else None,
        "bound_to": short(request.binding.digest),
        "policy": short(request.binding.policy),
    }
    return Node(APPROVAL, id, facts, ((RUN, run_of(request.binding.run)),))


def _effect(id: str, sources: Sources) -> Node:
    entry = next((one for one in sources.effects() if one.intent.key == id), None)
    if entry is None:
        raise DataError(
            f"There is no effect {id!r}", expected="its key", action="`ops agent effects` lists them", key=id
        )
    intent, outcome = entry.intent, entry.outcome
    facts = {
        "call": f"{intent.tool} {intent.arguments}",
        "state": entry.state(sources.now()),
        "came_to": outcome.result[:_SHOWN] if outcome else None,
        "found_out_by": outcome.by or None if outcome else None,
        "started": entry.started_at.isoformat(timespec="seconds"),
    }
    approval = [(APPROVAL, intent.approval)] if intent.approval else []
    return Node(EFFECT, id, facts, (*approval, (RUN, run_of(intent.run))))


def _memory(id: str, sources: Sources) -> Node:
    found = sources.memory(id)
    return Node(MEMORY, id, found or {}, missing="" if found is not None else "the memory no longer has this version")


def _release(digest: str, sources: Sources) -> list[Thing]:
    system = sources.system(digest) if digest else None
    return [(RELEASE, f"{system}/{digest}")] if system else []


def _read(steps: Sequence[Step]) -> list[Thing]:
    versions = (name for step in steps for name in step.memory_version.split(",") if name)
    return [(MEMORY, name) for name in dict.fromkeys(versions)]


def _answers(recording: Recording, only: Step | None = None) -> list[Thing]:
    """The answers of other systems that its tools and messages came to, by their ids wherever they stand in a result."""
    steps = [only] if only else recording.steps
    outputs = dict.fromkeys(step.outputs for step in steps if step.outputs in recording.payloads)
    found = (one for digest in outputs for one in names_and_values(recording.payloads[digest].shown()))
    names = (name for one in found for name in _ANSWER.findall(str(one)) if day_of_answer(name))
    return [(ANSWER, name) for name in dict.fromkeys(names)]


def _text(recording: Recording, digest: str) -> str | None:
    if digest not in recording.payloads:
        return None
    return json.dumps(recording.payloads[digest].shown(), ensure_ascii=False)[:_SHOWN]
