"""An agent as a tool of an MCP server, and how another agent hands it a task: one run, whichever processes take part.

The trace goes along in `_meta`, so that the receiver's steps stand under the step that asked, and the step of its answer
comes back, to which the message is linked. So does the line of agents that wait for the task. Both sides judge it by their
own policy; who stands in it is what the sender says, and a server that strangers can reach has to know its callers.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ops_pipelines.adapters.mcp_trace import ANSWERED_BY, LINE, TENANT, TOOLS, answered_by, line_of, meta_of, trace_of
from ops_pipelines.agentops.handoff import DelegationPolicy, Handoff, judge_handoff
from ops_pipelines.agentops.joined_runs import JoinedRuns
from ops_pipelines.agentops.recording import Outcome, Scope
from ops_pipelines.agentops.run_log import DECISION, MESSAGE, step_id
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.verdict import Passed, reasons_of

if TYPE_CHECKING:
    from fastmcp import Client, FastMCP

ANSWER = "answer"
"""The name of the step by which an agent gives its answer."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A task as an agent was given it: its scope, what was said, and how it was handed on."""

    scope: Scope
    message: Any
    handoff: Handoff

    def to(self, receiver: str, task: str, *, tools: frozenset[str] = frozenset()) -> Handoff:
        """How this agent hands a task on: it waits in the line, and grants no more than it was granted."""
        line = (*self.handoff.line, self.handoff.receiver)
        told = replace(self.handoff, line=line, receiver=receiver, task=task)
        return replace(told, tools=tools, granted=self.handoff.tools, receiver_tenant=self.handoff.tenant)


Program = Callable[[Errand], Awaitable[Any]]
"""An agent: what it answers to an errand."""


def offer_agent(
    server: "FastMCP[Any]", name: str, program: Program, runs: JoinedRuns, policy: DelegationPolicy, *, tenant: str = ""
) -> None:
    """Offer an agent as the tool of its name, which takes a `task`, by its name in the policy, and a `message`."""
    from fastmcp.server.dependencies import get_context
    from fastmcp.tools.base import ToolResult

    async def errand(task: str, message: Any = None) -> ToolResult:
        request = get_context().request_context
        meta: Mapping[str, Any] = (request.meta if request else None) or {}
        handoff = _handed(meta, name, task, tenant)
        check_handoff(policy, handoff)
        trace = trace_of(meta, getattr(request.request, "headers", None) if request else None)
        run, parent = (trace.run, trace.step) if trace else (uuid4().hex, "")
        scope = runs.begin(name, {"task": task, "message": message}, run=run, parent=parent)
        answer = await program(Errand(scope, message, handoff))
        scope.decide(ANSWER, answer)
        told = {ANSWERED_BY: step_id(scope.step, DECISION, ANSWER, 0)}
        return ToolResult(structured_content={ANSWER: answer}, meta=told)

    server.tool(errand, name=name)


async def ask_agent(
    scope: Scope, client: "Client[Any]", handoff: Handoff, message: Any, policy: DelegationPolicy
) -> Any:
    """What another agent answers, as a message step of this one; StepFailed where the policy forbids it, or it fails."""

    async def act() -> Outcome:
        check_handoff(policy, handoff)
        line = {LINE: list(handoff.line), TOOLS: sorted(handoff.tools), TENANT: handoff.tenant}
        found = await client.call_tool(
            handoff.receiver, {"task": handoff.task, "message": message}, meta={**meta_of(scope), **line}
        )
        return Outcome((found.structured_content or {}).get(ANSWER), links=answered_by(found.meta))

    return await scope.call_async(MESSAGE, handoff.receiver, {"task": handoff.task, "message": message}, act)


def check_handoff(policy: DelegationPolicy, handoff: Handoff) -> None:
    """NotAllowed with all reasons where a task may not be handed on."""
    found = judge_handoff(policy, handoff)
    if not isinstance(found, Passed):
        raise NotAllowed(
            f"{handoff.task!r} may not be handed to {handoff.receiver!r}: {'; '.join(reasons_of(found))}",
            expected="a task that a rule lets be handed on",
            action="Do it without the other agent, or have a rule added",
        )


def _handed(meta: Mapping[str, Any], receiver: str, task: str, tenant: str) -> Handoff:
    tools = meta.get(TOOLS)
    given = frozenset(one for one in tools if isinstance(one, str)) if isinstance(tools, list) else frozenset()
    return Handoff(line_of(meta), receiver, task, given, given, str(meta.get(TENANT, "")), tenant)
