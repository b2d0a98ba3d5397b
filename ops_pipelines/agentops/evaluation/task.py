"""A task for an agent: what it is given, the world that it meets, and what is expected of it.

The world answers the agent's tools in this task and says what a person would say; nothing else is touched. Each part of
what is expected may be left out, and what is left out is not judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.agentops.evaluation.matching import is_within

APPROVE, DENY, ABSENT_PERSON = "approve", "deny", "absent"
PEOPLE = (APPROVE, DENY, ABSENT_PERSON)
"""What a person does who is asked for an approval."""


@dataclass(frozen=True, slots=True)
class CallPattern:
    """Calls of one tool whose arguments have those that are named here; None is any."""

    tool: str
    arguments: Mapping[str, Any] | None = None

    def fits(self, tool: str, arguments: Any) -> bool:
        """Whether a call is one of these."""
        return tool == self.tool and (self.arguments is None or is_within(self.arguments, arguments))

    @property
    def shown(self) -> str:
        """The pattern as people read it."""
        if self.arguments is None:
            return f"{self.tool}(any)"
        return f"{self.tool}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


@dataclass(frozen=True, slots=True)
class ExpectedCall(CallPattern):
    """A call that is needed, under a name by which `before` speaks of it."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of one tool's result that has to be an argument of another's call.

    `value` is its path in the result (`releases.1.digest`), `argument` the path in the arguments.
    """

    source: str
    value: str
    tool: str
    argument: str

    @property
    def shown(self) -> str:
        """The reading as people read it."""
        return f"{self.value} of {self.source} as {self.argument} of {self.tool}"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run has to come to. None, and an empty list, ask nothing; calls that are an empty list ask for no call.

    `before` are pairs of names of calls. `never` are wrong actions. `may` are calls that are fine and not needed.
    """

    outcome: Any = None
    calls: tuple[ExpectedCall, ...] | None = None
    before: tuple[tuple[str, str], ...] = ()
    never: tuple[CallPattern, ...] = ()
    reads: tuple[Reading, ...] = ()
    may: tuple[CallPattern, ...] = ()

    @property
    def asks_something(self) -> bool:
        """Whether a run can fail it."""
        return self.outcome is not None or self.calls is not None or bool(self.never or self.reads)


@dataclass(frozen=True, slots=True)
class WorldAnswer:
    """What a tool answers once: a result, or the error with which it fails."""

    result: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answering:
    """What calls like this are answered: the first time with the first answer, and so on; the last one stays."""

    pattern: CallPattern
    answers: tuple[WorldAnswer, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `person` is what somebody says to an approval, `persons` what they say to that of one tool.

    Tasks of one `cluster` resemble each other; one without is a cluster of its own.
    """

    id: str
    given: Any
    expected: Expected
    world: tuple[Answering, ...] = ()
    person: str = ABSENT_PERSON
    persons: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""

    @property
    def draw(self) -> str:
        """What this task is a draw of."""
        return self.cluster or self.id

    def person_for(self, tool: str) -> str:
        """What somebody says who is asked to approve a call of a tool."""
        return self.persons.get(tool, self.person)


@dataclass(frozen=True, slots=True)
class TaskSet:
    """The tasks of one agent; `digest` is of the file's content, whatever its layout."""

    agent: str
    tasks: tuple[Task, ...]
    digest: str

    def clusters(self) -> dict[str, str]:
        """What each task is a draw of, by its id."""
        return {task.id: task.draw for task in self.tasks}
