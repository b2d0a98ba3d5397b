"""One run that comes through the door: its gate, the scopes that it is recorded in, and the approvals that it waits for."""

from typing import Any

from ops_pipelines.adapters.mcp_results import META, is_result
from ops_pipelines.adapters.mcp_trace import LINE, TENANT, answered_by, line_of, meta_of
from ops_pipelines.agentops.approval import PENDING
from ops_pipelines.agentops.gate_async import call_async, has_effect
from ops_pipelines.agentops.joined_runs import JoinedRuns
from ops_pipelines.agentops.recording import Outcome, Scope
from ops_pipelines.agentops.run_log import TOOL
from ops_pipelines.agentops.tool_call import RECORD, Answer, Denied, Done, Waiting
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.apps.tool_gateway.asked import Asked
from ops_pipelines.apps.tool_gateway.carried import Carried, Serve, carry

_MOST_PARENTS = 1000
"""So many steps that asked for something are remembered in a run; whoever comes again after that is noted once more."""


class GatedRun:
    """One run: its gate, the scopes that it is recorded in, and the approvals that it waits for."""

    def __init__(self, gate: Gate, joined: JoinedRuns, *, client: str, hears_user: bool) -> None:
        self.gate, self.client, self.used_at = gate, client, 0.0
        self._joined, self._hears_user = joined, hears_user
        self._scopes: dict[str, tuple[Scope, Scope]] = {}
        self._heard: set[str] = set()
        self._waiting: dict[bytes, str] = {}

    @property
    def characters(self) -> int:
        """How much was read in it."""
        return self.gate.characters

    async def call(self, asked: Asked, serve: Serve | None) -> Answer:
        """What comes of a call, recorded under the step that asked for it."""
        came: list[Answer] = []

        async def act() -> Outcome:
            came.append(answer := await self._gated(asked))
            return Outcome(answer.to_json(), decision=_stands(answer), links=_links(answer))

        try:
            scope = self._scope(asked.trace.step if asked.trace else "", asked.tool)
            carry(Carried({**meta_of(scope), **self._handed_on(asked)}, serve))
            await scope.call_async(TOOL, asked.tool, asked.arguments, act)
        except Exception as error:  # the run log is down: what was not run is not run, and what was is told as such
            self._scopes.clear()  # to open one anew finds out, before anything is run, whether the log is back
            return _unrecorded(came[0] if came else None, error)
        return came[0]

    async def _gated(self, asked: Asked) -> Answer:
        if self._hears_user and asked.user_words and asked.user_words not in self._heard:
            self._heard.add(asked.user_words)
            self.gate.hear(asked.user_words)
        approval = asked.approval or self._answered(asked)
        answer = await call_async(self.gate, asked.tool, asked.arguments, call_id=asked.call_id, approval=approval)
        if isinstance(answer, Waiting):
            self._waiting[asked.key] = answer.approval
        elif approval:
            self._waiting.pop(asked.key, None)
        return answer

    def _handed_on(self, asked: Asked) -> dict[str, Any]:
        """Who waits for the task, this agent the last of them: what a client leaves out makes nothing more allowed."""
        line, agent = line_of(asked.handed), self.gate.run.agent
        whole = line if line[-1:] == (agent,) else (*line, agent)
        return {**asked.handed, LINE: list(whole), TENANT: self.gate.run.tenant}

    def _answered(self, asked: Asked) -> str:
        """The approval that this very call waits for, once a person has answered: the same call again is enough."""
        approval, parts = self._waiting.get(asked.key, "") if self._waiting else "", self.gate.parts
        try:
            held = parts.approvals.held(approval) if approval else ()
        except Exception:  # the gate says what is wrong with the store
            return ""
        return approval if held and held[0].state(parts.now()) != PENDING else ""

    def _scope(self, parent: str, tool: str) -> Scope:
        if parent not in self._scopes:
            if len(self._scopes) >= _MOST_PARENTS:
                self._scopes.clear()
            light, name = self._joined.logged.light, f"gate of {self.gate.run.agent}"
            scope = self._joined.begin(name, run=self.gate.run.id, parent=parent)
            self._scopes[parent] = scope, scope.kept_by(light) if light else scope
        return self._scopes[parent][not has_effect(self.gate.parts, tool)]


def _links(answer: Answer) -> tuple[str, ...]:
    """The step of another agent whose words these are."""
    result = answer.result if isinstance(answer, Done) else None
    return answered_by(result.get(META)) if is_result(result) else ()


def _stands(answer: Answer) -> str:
    if isinstance(answer, Denied):
        return f"denied at {answer.stage}"
    return "waiting" if isinstance(answer, Waiting) else ""


def _unrecorded(answer: Answer | None, error: Exception) -> Answer:
    why = f"the run could not be recorded: {error}"[:2000]
    if answer is None:
        return Denied(RECORD, why, "Nothing was done. Tell a person that the log is down")
    if isinstance(answer, Done):
        return Denied(RECORD, f"it was done, and {why}", "Never repeat it. Tell a person", is_unknown=True)
    return answer
