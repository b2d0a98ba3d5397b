"""What a person wants otherwise in a step of a run, as the edit of a fork."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ops_pipelines.adapters.agents import OpenAgent
from ops_pipelines.agentops.changed_value import changed
from ops_pipelines.agentops.fork import Edit, NewRequest, check_at, result_of, step_at
from ops_pipelines.agentops.fork_policy import asking
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.run_log import AGENT, MODEL, TOOL, Recording, Step
from ops_pipelines.agentops.tool_call import Waiting
from ops_pipelines.core.errors import ConfigError, NotAllowed
from ops_pipelines.core.fingerprint import canonical_json

RESULT, REQUEST, SET = "result", "request", "set"
"""The three ways to edit a step: another result, another request, and some parts of its request by their paths."""


def edit_of(
    agent: OpenAgent,
    recording: Recording,
    at: int,
    wanted: Mapping[str, Any],
    *,
    run: str,
    policy: Policy | None = None,
) -> Edit | None:
    """The edit of the step `at` for a fork that becomes `run`; None where nothing is wanted.

    `wanted` has one of `result`, `request` and `set`, a mapping of paths to values. A model is asked the new request by the
    program itself, and a tool that only reads through the gate, by the fork's `policy` where it has one of its own.
    ConfigError for what cannot be edited so, and for a step that the run does not have.
    """
    if not wanted:
        check_at(recording, at, is_edited=False)
        return None
    if len(wanted) > 1:
        raise ConfigError(
            f"Of {', '.join(wanted)}, one edits a step",
            expected="one edit a fork",
            action="Fork the fork, where several are wanted",
        )
    step = step_at(recording, at)
    if RESULT in wanted:
        return result_of(step, wanted[RESULT])
    request = wanted[REQUEST] if REQUEST in wanted else changed(recording.value(step.inputs), wanted[SET])
    return _other_request(agent, step, request, partial(_looked, agent, run, policy, step.name))


def _other_request(agent: OpenAgent, step: Step, request: Any, look: Callable[[Any], Any]) -> Edit:
    if step.kind in (AGENT, MODEL):
        return NewRequest(request)
    tool = agent.agent.tools.get(step.name) if step.kind == TOOL else None
    if tool is None or tool.has_effect:
        raise ConfigError(
            f"The {step.kind} {step.name!r} cannot be asked for something else from here",
            expected="the step in which an agent began, a model, or a tool that only reads",
            action="Give its result, or edit an earlier step that leads to it",
            step=step.id,
        )
    if problems := tool.problems(request if isinstance(request, dict) else {"": request}):
        raise ConfigError(
            f"{step.name!r} cannot be called with {canonical_json(request).decode()[:200]}: {'; '.join(problems)}",
            expected="arguments of that tool",
            action="Correct them",
        )
    return NewRequest(request, look)


def _looked(agent: OpenAgent, run: str, policy: Policy | None, tool: str, arguments: Any) -> Any:
    """What a reading tool answers to a person's question: through the gate, as every call."""
    asks = asking(policy or agent.agent.policy)
    gate = agent.gate(run, agent.platform.clock.wall(), policy=asks, started_by=agent.started_by())
    gate.hear(json.dumps(arguments, ensure_ascii=False))
    answer = gate.call(tool, arguments, call_id="asked by a person")
    if isinstance(answer, Waiting):
        raise NotAllowed(f"{tool} waits for an approval", expected="a tool that only looks", action="Give its result")
    return answer.to_json()
