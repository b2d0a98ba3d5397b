"""An agent's program with everything that reaches outside it named: model, tools, memory, clock and random numbers.

The program is given a Scope and goes outside by it alone. Each answer becomes a step that is kept before the program sees
it. Where an answer comes from is a Source's business: from the outside (`Live`), from a recording (`replay`), or from both
(`fork`); the program cannot tell, since it sees what JSON can hold, and every failure as StepFailed.

An effect whose step could not be kept was done all the same, and the program stops there: the journal of effects knows.

A scope may be used by several threads, and calls that run in parallel may end in any order. Two of one kind and name under
one parent are told apart by what they ask. Threads that read the clock or draw numbers need a scope each (`inside`).
"""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from inspect import isawaitable
from typing import Any, Protocol

from ops_pipelines.agentops.payload import Payload, plain
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import (
    AGENT,
    CLOCK,
    DECISION,
    MEMORY_READ,
    MESSAGE,
    MODEL,
    RANDOM,
    TOOL,
    Step,
    step_id,
)
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import OpsError

_LONGEST_ERROR = 2000
Act = Callable[[], Any]
"""Does the thing itself, outside. What it returns may be an `Outcome`, where more than a value is known."""
Ask = Callable[[Any], Any]
"""Asks a model what it is given, or awaits its answer; a fork may give it another request than its program made."""


class StepFailed(OpsError):
    """What an agent asked for raised, now or when it was recorded; `type` and `message` are what it raised."""

    def __init__(self, kind: str, name: str, type: str, message: str) -> None:
        self.kind, self.name, self.type, self.message = kind, name, type, message
        super().__init__(
            f"The {kind} {name!r} failed with {type}: {message}",
            expected="an answer",
            action="Catch StepFailed in the agent where it can go on without",
            type=type,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act came to, with what it took: tokens, billionths of a dollar, the version of the memory that was read.

    `decision` is what a gate said of it, empty where that let it through.
    """

    value: Any
    tokens: int | None = None
    nanos: int | None = None
    memory_version: str = ""
    links: tuple[str, ...] = ()
    decision: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """An Act that can be done about another request, too."""

    ask: Ask
    request: Any

    def __call__(self) -> Any:
        """What is answered."""
        return self.ask(self.request)

    def about(self, request: Any) -> "Question":
        """The same question about something else."""
        return replace(self, request=request)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asks of the outside, redacted; `inputs` is the digest of what it gave."""

    parent: str
    kind: str
    name: str
    inputs: str

    @property
    def group(self) -> tuple[str, str, str]:
        """The place among whose steps occurrences are counted."""
        return self.parent, self.kind, self.name


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Where it `failed` its value is a mapping of `type` and `message`.

    `instead` holds what was really asked, where somebody edited that.
    """

    occurrence: int
    outcome: Outcome
    started: datetime
    ended: datetime
    failed: bool = False
    instead: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """What has to be asked outside: `act` does it, now or as an awaitable, and `ended` makes the answer of what came."""

    occurrence: int
    act: Act
    now: Callable[[], datetime]
    started: datetime
    instead: tuple[Any, ...] = ()

    def ended(self, came: Any) -> Answer:
        """The answer of what the act returned, or of the exception that it raised, as JSON can hold it."""
        failed = isinstance(came, Exception)
        value = {"type": type(came).__name__, "message": str(came)} if failed else came
        known = value if isinstance(value, Outcome) else None
        outcome = replace(known, value=plain(known.value)) if known else Outcome(plain(value))
        return Answer(self.occurrence, outcome, self.started, self.now(), failed, self.instead)


class Source(Protocol):
    """Where answers come from."""

    def answer(self, asked: Asked, arguments: Any, act: Act) -> Answer | Pending:
        """The answer to what was asked, or how to get it from the outside; `act` does, given the arguments as they are."""


class Occurrences:
    """Numbers the steps of each place from 0 and gives none twice, whichever thread asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[tuple[str, str, str], set[int]] = {}
        self._next: dict[tuple[str, str, str], int] = {}

    def reserve(self, group: tuple[str, str, str], occurrence: int) -> None:
        """Take a number that was given by somebody else."""
        with self._lock:
            self._taken.setdefault(group, set()).add(occurrence)

    def take(self, group: tuple[str, str, str]) -> int:
        """The first number that nobody has."""
        with self._lock:
            taken, number = self._taken.get(group, ()), self._next.get(group, 0)
            while number in taken:
                number += 1
            self._next[group] = number + 1
            return number


@dataclass(frozen=True, slots=True)
class Live:
    """The Source that asks the outside; `now` is the wall clock."""

    now: Callable[[], datetime]
    occurrences: Occurrences = field(default_factory=Occurrences)

    def answer(self, asked: Asked, arguments: Any, act: Act) -> Pending:  # noqa: ARG002  (the shape of a Source)
        """The act itself."""
        return Pending(self.occurrences.take(asked.group), act, self.now, self.now())


@dataclass(frozen=True, slots=True)
class Tape:
    """One run that is being written: its id (32 hexadecimal digits), where answers come from, and who writes."""

    run: str
    source: Source
    writer: Writer
    release: str = ""

    def begin(self, agent: str, task: Any = None, *, parent: str = "", decision: str = "") -> "Scope":
        """The scope of the agent that begins with a task; `parent` is a step of another process, from its traceparent.

        `decision` is what is said of the task.
        """
        return Scope(self, agent, parent)._opened(agent, task, decision)


class Scope:
    """What an agent's program goes outside by, with the `task` that it was given, as it was kept.

    Each answer is a step; StepFailed where one raised.
    """

    def __init__(self, tape: Tape, agent: str, step: str, task: Any = None, begun: "_Written | None" = None) -> None:
        self.agent, self.step, self.task, self._tape, self._begun = agent, step, task, tape, begun

    @property
    def run(self) -> str:
        """The id of the run."""
        return self._tape.run

    @property
    def redactor(self) -> Redactor:
        """What takes out of a text what may not be kept."""
        return self._tape.writer.redactor

    def inside(self, agent: str, task: Any = None, *, decision: str = "") -> "Scope":
        """The scope of an agent, or of a thread of this one, that is given a task by this one."""
        return self._opened(agent, task, decision)

    def check_log(self) -> None:
        """Keep again, without a change, the step with which the agent began: what the log raises where it is down."""
        if self._begun is not None:
            self._tape.writer.write(*self._begun)

    def kept_by(self, writer: Writer) -> "Scope":
        """The same scope, what happens in which is kept by another writer."""
        return Scope(replace(self._tape, writer=writer), self.agent, self.step, self.task)

    def model(self, name: str, request: Any, ask: Ask) -> Any:
        """What a model answers to a request: its messages, its parameters and whatever decides the answer."""
        return self.call(MODEL, name, request, Question(ask, request))

    async def model_async(self, name: str, request: Any, ask: Ask) -> Any:
        """The same where the answer has to be awaited."""
        return await self.call_async(MODEL, name, request, Question(ask, request))

    def tool(self, name: str, arguments: Any, act: Act) -> Any:
        """A tool's result."""
        return self.call(TOOL, name, arguments, act)

    def memory(self, name: str, query: Any, act: Act) -> Any:
        """What a memory holds; let the act return an Outcome with the version that was read."""
        return self.call(MEMORY_READ, name, query, act)

    def message(self, receiver: str, message: Any, act: Act) -> Any:
        """What another agent answers; let the act return an Outcome with links to the steps that made it."""
        return self.call(MESSAGE, receiver, message, act)

    def now(self, clock: Callable[[], datetime]) -> datetime:
        """The instant that a clock shows."""
        return datetime.fromisoformat(self.call(CLOCK, "now", None, lambda: clock().isoformat()))

    def random(self, name: str, draw: Act) -> Any:
        """What was drawn: a number, an id, a choice."""
        return self.call(RANDOM, name, None, draw)

    def decide(self, name: str, value: Any) -> None:
        """Note what the agent decided, or came to at its end."""
        self.call(DECISION, name, value, lambda: None)

    def kept_as(self, value: Any) -> str:
        """The digest under which a value is kept: the same for what differs only in what is taken out before it is kept."""
        payload = self._tape.writer.payload(plain(value))
        return payload.digest if payload else ""

    def step_of(self, kind: str, name: str) -> str:
        """The id that the first step of a kind and name has here."""
        return step_id(self.step, kind, self._tape.writer.word(name), 0)

    def call(self, kind: str, name: str, inputs: Any, act: Act) -> Any:
        """What the outside answers to inputs, as JSON can hold it, once it is kept."""
        asking = self._asking(kind, name, inputs, act)
        if isinstance(asking.found, Pending):
            asking = asking.answered(_came_of(asking.found.act))
        return self._told(asking).value

    async def call_async(self, kind: str, name: str, inputs: Any, act: Callable[[], Awaitable[Any]]) -> Any:
        """The same where the act has to be awaited; the loop waits for the time of a commit."""
        asking = self._asking(kind, name, inputs, act)
        if isinstance(asking.found, Pending):
            asking = asking.answered(await _awaited(asking.found.act))
        return self._told(asking).value

    def _asking(self, kind: str, name: str, inputs: Any, act: Act) -> "_Asking":
        writer, given = self._tape.writer, plain(inputs)
        sent = writer.payload(given)
        asked = Asked(self.step, kind, writer.word(name), sent.digest if sent else "")
        found = self._tape.source.answer(asked, given, act)
        return _Asking(name, asked, writer.payload(plain(found.instead[0])) if found.instead else sent, found)

    def _told(self, asking: "_Asking") -> "_Told":
        answer = asking.found
        assert isinstance(answer, Answer)
        written = self._write(asking.asked, answer, asking.sent)
        if answer.failed:
            raised = answer.outcome.value
            raise StepFailed(asking.asked.kind, asking.name, raised["type"], raised["message"])
        return _Told(written, answer.outcome.value)

    def _write(self, asked: Asked, answer: Answer, sent: Payload | None) -> "_Written":
        writer, outcome = self._tape.writer, answer.outcome
        came = writer.payload(outcome.value)
        step = Step(
            id=step_id(asked.parent, asked.kind, asked.name, answer.occurrence),
            run=self._tape.run,
            parent=asked.parent,
            agent=writer.word(self.agent),
            kind=asked.kind,
            name=asked.name,
            occurrence=answer.occurrence,
            inputs=sent.digest if sent else "",
            outputs=came.digest if came else "",
            started=answer.started,
            ended=max(answer.ended, answer.started),
            decision=writer.word(str(sent.shown()) if sent and asked.kind == DECISION else outcome.decision),
            error=writer.word(_error(outcome.value), _LONGEST_ERROR) if answer.failed else "",
            memory_version=writer.word(outcome.memory_version),
            release=self._tape.release,
            tokens=outcome.tokens,
            nanos=outcome.nanos,
            links=outcome.links,
        )
        writer.write(step, sent, came)
        return step, sent, came

    def _opened(self, agent: str, task: Any, decision: str) -> "Scope":
        scope = Scope(self._tape, agent, self.step)
        asking = scope._asking(AGENT, agent, task, lambda: None)
        given = asking.found.instead[0] if asking.found.instead else task
        if isinstance(asking.found, Pending):
            asking = asking.answered(Outcome(None, decision=decision))
        begun = scope._told(asking).written
        return Scope(self._tape, agent, begun[0].id, plain(given), begun)


_Written = tuple[Step, Payload | None, Payload | None]
"""A step as it was kept, with what was sent and what came."""


@dataclass(frozen=True, slots=True)
class _Told:
    written: _Written
    value: Any


@dataclass(frozen=True, slots=True)
class _Asking:
    """A call under way: its name as the program gave it, what was asked and sent, and what was found for it so far."""

    name: str
    asked: Asked
    sent: Payload | None
    found: Answer | Pending

    def answered(self, came: Any) -> "_Asking":
        assert isinstance(self.found, Pending)
        return _Asking(self.name, self.asked, self.sent, self.found.ended(came))


def _came_of(act: Act) -> Any:
    try:
        return act()
    except Exception as error:  # whatever it is, the program sees it as a StepFailed
        return error


async def _awaited(act: Act) -> Any:
    try:
        came = act()
        return await came if isawaitable(came) else came
    except Exception as error:
        return error


def _error(raised: Any) -> str:
    return f"{raised['type']}: {raised['message']}"
