"""Runs of a task that are made up call by call, recorded as a real run is, and stores in memory to run tasks on."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.agentops.agent import Agent
from ops_pipelines.agentops.conductor import Acting
from ops_pipelines.agentops.evaluation.live import Stage, Stores
from ops_pipelines.agentops.notes import FAILURE, RESULT
from ops_pipelines.agentops.recording import Live, Outcome, Scope, StepFailed, Tape
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import Recording, recording_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.tool_call import EXECUTE, Denied, EffectNotDone
from ops_pipelines.testing.agent_program import ticking
from ops_pipelines.testing.approval_store import MemoryApprovalStore
from ops_pipelines.testing.budget_store import MemoryBudgetStore
from ops_pipelines.testing.decision_log import MemoryDecisionLog
from ops_pipelines.testing.effect_journal import MemoryEffectJournal
from ops_pipelines.testing.run_log import RUN, MemoryRunLog

TASK = {"alarm": "drift"}
"""What a made-up run was given, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Did:
    """A call that an agent made. `stage` is where a gate denied it, with `error` as its reason; empty for no gate.

    Where only `error` is said the tool failed, and did nothing; `unknown` where nobody knows that.
    """

    tool: str
    arguments: Any = field(default_factory=dict)
    result: Any = None
    error: str = ""
    stage: str = ""
    unknown: bool = False


def did(tool: str, /, result: Any = None, **arguments: Any) -> Did:
    """A call that went well."""
    return Did(tool, arguments, result)


def failed(tool: str, /, error: str = "it is down", **arguments: Any) -> Did:
    """A call that failed and did nothing."""
    return Did(tool, arguments, error=error)


def denied(tool: str, /, stage: str, **arguments: Any) -> Did:
    """A call that a gate denied."""
    return Did(tool, arguments, error=f"denied by {stage}", stage=stage)


def recorded(
    *calls: Did,
    returned: Any = None,
    broke: str = "",
    models: tuple[int | None, ...] = (),
    run: str = RUN,
    task: Any = TASK,
    redactor: Redactor | None = None,
) -> Recording:
    """The recording of a run that made some calls and returned something; `broke` is why it failed instead.

    `models` are the billionths of a dollar of model calls before them; None for an unknown price.
    """
    log = MemoryRunLog()
    scope = Tape(run, Live(ticking()), Writer(log.append, redactor or Redactor())).begin("oncall", task)
    for nanos in models:
        scope.model("desk-1", {"messages": []}, lambda _, nanos=nanos: Outcome("go on", nanos=nanos))  # type: ignore[misc]
    for call in calls:
        _make(scope, call)
    if broke or returned is not None:
        scope.decide(FAILURE if broke else RESULT, broke or returned)
    return recording_of(log, run)


def memory_stores() -> Stores:
    """Stores that forget with the process."""
    return Stores(
        MemoryApprovalStore(), MemoryEffectJournal(), MemoryDecisionLog(), MemoryBudgetStore(), MemoryRunLog()
    )


def memory_stage(agent: Agent, program: Acting, *, stores: Callable[[], Stores] = memory_stores) -> Stage:
    """What tasks of an agent are run on in tests."""
    return Stage("oncall", "b" * 64, agent, program, stores, ticking(), lambda: uuid.uuid4().hex)


def _make(scope: Scope, call: Did) -> None:
    try:
        scope.tool(call.tool, call.arguments, lambda: _outcome(call))
    except StepFailed:
        return


def _outcome(call: Did) -> Any:
    if call.stage:
        return Denied(call.stage, call.error, "Ask a person", is_unknown=call.unknown).to_json()
    if call.unknown:
        return Denied(EXECUTE, call.error, "Never repeat it", is_unknown=True).to_json()
    if call.error:
        raise EffectNotDone(call.error)
    return call.result
