"""A call on its way through the gate, and one that was let through and is to be run now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops_pipelines.agentops.current_call import on_behalf_of
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.agentops.policy import Decision, Situation
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.agentops.tool_run import Ran


@dataclass(slots=True)
class Call:
    """A call on its way through the stages; one with a `name` is the same when its run goes on.

    `exact` is the digest of its arguments where what is known of them has a secret taken out: then it is not made again.
    """

    id: str
    tool: str
    at: datetime
    name: str = ""
    approval: str = ""
    key: str = ""
    text: str = ""
    exact: str = ""
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
