"""A conversation in the shape of OpenAI's messages as the steps of a run, to be looked at and compared with others.

Each answer of the assistant is a model step, whose inputs are the messages since its last one. A call that it asks for is
a tool step under it, with the result that came back by the call's id. What people wrote is a message step. Nothing is left
out: a call without a result says so, and what is no message is named as rejected.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.agentops.payload import Payload, plain
from ops_pipelines.agentops.recording import Occurrences
from ops_pipelines.agentops.run_log import AGENT, MESSAGE, MODEL, TOOL, Entry, Step, step_id
from ops_pipelines.agentops.step_writer import Writer

_MICROSECOND = timedelta(microseconds=1)
_SPEAKERS = ("system", "developer", "user")
UNANSWERED = "no result came back for this call"
"""The error of a tool step whose result is not among the messages."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where messages come from: the run to make, the agent that speaks, when it began, and what asked for it.

    Messages carry no times: their steps follow each other by a microsecond.
    """

    run: str
    agent: str
    began: datetime
    task: Any = None
    model: str = "unknown"
    release: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """The entries of a conversation, and why some messages are none, by their number: together all messages.

    `messages` is how many became part of an entry.
    """

    entries: tuple[Entry, ...]
    messages: int
    rejected: tuple[tuple[int, str], ...]


def import_messages(conversation: Conversation, messages: Sequence[Any], writer: Writer) -> Imported:
    """The steps of a conversation, redacted and shortened by a writer, which keeps none of them: give them to a log."""
    rejected = tuple((at, fault) for at, message in enumerate(messages) if (fault := _fault(message)))
    refused = {at for at, _ in rejected}
    good = [message for at, message in enumerate(messages) if at not in refused]
    making = _Making(conversation, writer, _results(good))
    making.begin()
    for message in good:
        making.take(message)
    making.end()
    return Imported(tuple(making.entries), len(good), rejected)


def _fault(message: Any) -> str:
    """Why something is no message; empty where it is one."""
    if not isinstance(message, Mapping):
        return f"a message is a mapping, and this is a {type(message).__name__}"
    role = message.get("role")
    if role not in (*_SPEAKERS, "assistant", "tool", "function"):
        return f"nobody knows the role {role!r}"
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, Mapping) for call in calls):
        return "its tool_calls are no list of calls"
    return ""


def _results(messages: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The results by the id of their call; an id that was used again has several, in order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for message in messages:
        if message["role"] in ("tool", "function"):
            found.setdefault(str(message.get("tool_call_id", "")), []).append(message)
    return found


@dataclass(slots=True)
class _Making:
    """The steps made so far, and the messages that the model has not answered yet."""

    conversation: Conversation
    writer: Writer
    results: dict[str, list[Mapping[str, Any]]]
    entries: list[Entry] = field(default_factory=list)
    heard: list[Any] = field(default_factory=list)
    occurrences: Occurrences = field(default_factory=Occurrences)
    root: str = ""

    def begin(self) -> None:
        self.root = self.step(AGENT, self.conversation.agent, "", self.conversation.task, None)

    def take(self, message: Mapping[str, Any]) -> None:
        """One message of the conversation; results are taken where they were asked for."""
        if message["role"] == "assistant":
            self.answer(message)
        else:
            self.heard.append(message)
            if message["role"] in _SPEAKERS:
                self.step(MESSAGE, str(message["role"]), self.root, None, message.get("content"))

    def answer(self, message: Mapping[str, Any]) -> None:
        said = {name: message[name] for name in ("content", "tool_calls", "function_call") if message.get(name)}
        asked, self.heard = {"model": self.conversation.model, "messages": self.heard}, []
        answered = self.step(MODEL, self.conversation.model, self.root, asked, said)
        for name, arguments, id in _calls(message):
            waiting = self.results.get(id, [])
            result = waiting.pop(0) if waiting else None
            value = result.get("content") if result else {"type": "Unanswered", "message": UNANSWERED}
            self.step(TOOL, name, answered, arguments, value, error="" if result else UNANSWERED)

    def end(self) -> None:
        """The results that nobody asked for, so that none is lost."""
        for left in self.results.values():
            for result in left:
                self.step(TOOL, str(result.get("name") or "unknown"), self.root, None, result.get("content"))

    def step(self, kind: str, name: str, parent: str, inputs: Any, outputs: Any, *, error: str = "") -> str:
        known, place = self.writer.word(name), self.conversation
        sent, came = (self.writer.payload(plain(value)) for value in (inputs, outputs))
        occurrence = self.occurrences.take((parent, kind, known))
        at = place.began + len(self.entries) * _MICROSECOND
        step = Step(
            id=step_id(parent, kind, known, occurrence),
            run=place.run,
            parent=parent,
            agent=self.writer.word(place.agent),
            kind=kind,
            name=known,
            occurrence=occurrence,
            inputs=_digest(sent),
            outputs=_digest(came),
            started=at,
            ended=at,
            error=error,
            release=place.release,
        )
        self.entries.append(Entry(step, tuple(payload for payload in (sent, came) if payload)))
        return step.id


def _digest(payload: Payload | None) -> str:
    return payload.digest if payload else ""


def _calls(message: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """The name, the arguments and the id of each call that an answer asks for."""
    for call in message.get("tool_calls") or []:
        yield *_function(call.get("function")), str(call.get("id", ""))
    if message.get("function_call"):
        yield *_function(message["function_call"]), ""


def _function(function: Any) -> tuple[str, Any]:
    """Its name and arguments: the value where they are JSON, the text as it is where they are not."""
    if not isinstance(function, Mapping):
        return "unknown", function
    arguments = function.get("arguments")
    try:
        return str(function.get("name") or "unknown"), json.loads(arguments) if isinstance(
            arguments, str
        ) else arguments
    except (ValueError, RecursionError):
        return str(function.get("name") or "unknown"), arguments
