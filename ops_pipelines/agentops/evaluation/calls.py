"""The tool calls of a recorded run, in their order, each with what came of it, and what the run returned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops_pipelines.agentops.notes import FAILURE, RESULT, WAITS
from ops_pipelines.agentops.run_log import DECISION, TOOL, Recording, Step
from ops_pipelines.agentops.sameness import key_of
from ops_pipelines.agentops.tool_call import EXECUTE, is_answer


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made. `error` says why it failed or was refused, at which `stage` of a gate; empty where it did not.

    `unknown` where nobody knows whether it was done.
    """

    step: str
    tool: str
    arguments: Any
    result: Any = None
    error: str = ""
    stage: str = ""
    unknown: bool = False

    @property
    def was_done(self) -> bool:
        """Whether it may have changed something: what nobody knows counts as done."""
        return self.unknown or not self.error

    @property
    def key(self) -> str:
        """What calls of the same thing share, whatever the ids of their messages."""
        given = self.arguments if isinstance(self.arguments, Mapping) else {"": self.arguments}
        return key_of("", self.tool, given, "")

    @property
    def shown(self) -> str:
        """The call as people read it."""
        if not isinstance(self.arguments, Mapping):
            return f"{self.tool}({self.arguments!r})"
        return f"{self.tool}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


def calls_made(recording: Recording) -> tuple[Made, ...]:
    """The calls of a run in the order in which they were kept; DataError or KeyError where one is not there as a whole."""
    return tuple(_made(recording, step) for step in recording.steps if step.kind == TOOL)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: `note` is result, failure or waits, empty where nobody noted it; `value` is what came of it."""

    note: str = ""
    value: Any = None


def end_of(recording: Recording) -> Ended:
    """How a run ended, by the last that it noted of itself."""
    notes = [step for step in recording.steps if step.kind == DECISION and step.name in (RESULT, FAILURE, WAITS)]
    return Ended(notes[-1].name, recording.value(notes[-1].inputs)) if notes else Ended()


def _made(recording: Recording, step: Step) -> Made:
    arguments: Any = recording.value(step.inputs)
    came: Any = recording.value(step.outputs)
    if step.error:
        return Made(step.id, step.name, arguments, came, step.error, EXECUTE, unknown=not _is_refusal(step.error))
    if not is_answer(came):
        return Made(step.id, step.name, arguments, came)
    if came["status"] == "done":
        return Made(step.id, step.name, arguments, came["result"])
    unknown = came["status"] == "unknown"
    return Made(step.id, step.name, arguments, None, came["reason"], came["stage"], unknown=unknown)


def _is_refusal(error: str) -> bool:
    """Whether a tool that raised has surely done nothing."""
    return error.startswith(("EffectNotDone", "NotAllowed", "Unanswered"))
