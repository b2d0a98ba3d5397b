"""A recorded run as a text that is kept beside the code, so that it can be replayed where nothing of its platform is.

What was redacted is marked by a key of its platform. In the text the marks are without it: they are the same wherever the
run is replayed, and tell nobody which two secrets were the same one.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ops_pipelines.agentops.payload import Payload, payload_of
from ops_pipelines.agentops.run_log import Recording, Step
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json

_TAGGED = re.compile(r"\[redacted ([^\]\n]{1,70}) [0-9a-f]{8}\]")
_WORDS = ("name", "agent", "decision", "error", "memory_version")
_INSTANTS = ("started", "ended")


def portable(recording: Recording) -> Recording:
    """The recording with marks that no key was needed for; the same steps, whose payloads are named anew."""
    renamed = {digest: _untagged(payload) for digest, payload in recording.payloads.items()}
    moved = {digest: payload.digest for digest, payload in renamed.items()}

    def named(step: Step) -> Step:
        changed: dict[str, Any] = {name: _text(getattr(step, name)) for name in _WORDS}
        changed |= {name: moved.get(getattr(step, name), "") for name in ("inputs", "outputs")}
        return replace(step, **changed)

    steps = tuple(map(named, recording.steps))
    return Recording(recording.run, steps, {payload.digest: payload for payload in renamed.values()})


def recording_to_json(recording: Recording) -> dict[str, Any]:
    """A recording as plain JSON, read back by `recording_from_json`."""
    payloads = {
        digest: {"size": one.size, "whole": one.is_whole, "content": one.shown()}
        for digest, one in recording.payloads.items()
    }
    return {"run": recording.run, "steps": [_step_to_json(step) for step in recording.steps], "payloads": payloads}


def recording_from_json(record: Mapping[str, Any], *, where: str) -> Recording:
    """The recording that `recording_to_json` wrote; DataError where it was altered, or is none. `where` is for people."""
    try:
        steps = tuple(_step_from_json(step) for step in record["steps"])
        payloads = {digest: _payload(digest, one) for digest, one in record["payloads"].items()}
        recording = Recording(str(record["run"]), steps, payloads)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(where, f"{type(error).__name__}: {error}") from error
    said_whole = {digest for digest, one in record["payloads"].items() if one.get("whole")}
    if problem := _fault_of(recording, said_whole):
        raise _unreadable(where, problem)
    return recording


def _fault_of(recording: Recording, said_whole: Collection[str]) -> str:
    if not recording.steps:
        return "it holds no step"
    named = {digest for step in recording.steps for digest in (step.inputs, step.outputs) if digest}
    lost = sorted(named - recording.payloads.keys())
    if lost:
        return f"the payload {lost[0][:12]} is not in it"
    altered = [digest for digest in sorted(said_whole) if not recording.payloads[digest].is_whole]
    return f"the payload {altered[0][:12]} was altered" if altered else ""


def _untagged(payload: Payload) -> Payload:
    content = canonical_json(_without_tags(payload.shown()))
    if content == payload.content:
        return payload
    return payload_of(json.loads(content)) if payload.is_whole else replace(payload, content=content)


def _without_tags(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_without_tags(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for name, one in value.items():
        marked = _text(name)
        while marked in kept:
            marked = f"{marked}'"
        kept[marked] = _without_tags(one)
    return kept


def _text(text: str) -> str:
    return _TAGGED.sub(r"[redacted \1]", text)


def _payload(digest: str, record: Mapping[str, Any]) -> Payload:
    return Payload(digest, int(record["size"]), canonical_json(record["content"]))


def _step_to_json(step: Step) -> dict[str, Any]:
    plain = {name: getattr(step, name) for name in Step.__dataclass_fields__ if name not in (*_INSTANTS, "links")}
    return plain | {name: getattr(step, name).isoformat() for name in _INSTANTS} | {"links": list(step.links)}


def _step_from_json(record: Mapping[str, Any]) -> Step:
    instants = {name: datetime.fromisoformat(record[name]) for name in _INSTANTS}
    return Step(**{**record, **instants, "links": tuple(record["links"])})


def read_recording(text: str, *, where: str) -> Recording:
    """The recording of a text; DataError where it is none."""
    try:
        record = json.loads(text)
    except ValueError as error:
        raise _unreadable(where, str(error)) from error
    return recording_from_json(record, where=where)


def _unreadable(where: str, why: str) -> DataError:
    return DataError(
        f"The recorded run {where} cannot be used: {why}",
        expected="a run as `ops agent keep` wrote it",
        action="Keep it anew on the platform on which it ran, or delete it",
        where=where,
    )
