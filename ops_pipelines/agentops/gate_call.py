"""A call on its way through the gate's stages, how a stage refuses one, and one that was let through and is run now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops_pipelines.agentops.current_call import on_behalf_of
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.agentops.policy import Decision, Situation
from ops_pipelines.agentops.tool_call import Denied, Done, Waiting
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.agentops.tool_run import Ran
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.verdict import Passed, Verdict, reasons_of

ASK_A_PERSON = "Do not try again: tell a person what you wanted to do, and why"


@dataclass(slots=True)
class Call:
    """A call, and what the stages have found out about it so far. One with a `name` is the same when its run goes on."""

    id: str
    tool: str
    at: datetime
    name: str = ""
    approval: str = ""
    key: str = ""
    text: str = ""
    result: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    situation: Situation | None = None
    decision: Decision | None = None
    reserved: bool = False
    has_run: bool = False

    @property
    def why_allowed(self) -> str:
        """By what it is let through."""
        by = self.decision.reason if self.decision else ""
        return f"approved as {self.approval}, {by}" if self.approval else by


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that was let through: it is to be run now, once, and `Gate.end` told what it came to.

    `late` is told what it came to after that was given up.
    """

    tool: Tool
    call: Call
    intent: Intent
    function: Callable[[Mapping[str, Any]], Any]
    arguments: Mapping[str, Any]
    late: Callable[[Ran], None]

    def run(self) -> Any:
        """What the tool returns, which can ask for its call meanwhile."""
        with on_behalf_of(self.intent):
            return self.function(self.arguments)


class Refused(Exception):
    """Ends a call with an answer."""

    def __init__(self, answer: Denied | Waiting | Done) -> None:
        self.answer = answer
        super().__init__(answer)


def deny(stage: str, reason: str, do: str, *, can_retry: bool = False) -> Refused:
    """The refusal of a stage."""
    return Refused(Denied(stage, reason, do, can_retry=can_retry))


def broke(stage: str, error: Exception) -> Denied:
    """What is told where a stage could not judge."""
    why = error.wrong if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
    return Denied(
        stage, f"the gate could not judge the call: {why}", "Nothing was done. Tell a person that it is broken"
    )


def let_pass(stage: str, found: Verdict, do: str) -> None:
    """Refuses what is not Passed."""
    if not isinstance(found, Passed):
        raise deny(stage, "; ".join(reasons_of(found)), do)
