"""The world of one task: tools that answer what the task says and touch nothing, and a person who says what it says."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from ops_pipelines.agentops.approval import PENDING, Answer, ApprovalStore
from ops_pipelines.agentops.evaluation.task import ABSENT_PERSON, APPROVE, Task
from ops_pipelines.agentops.tool_call import EffectNotDone
from ops_pipelines.agentops.tool_registry import Tool, ToolRegistry

PERSON = "the person of the task"
"""Who answers approvals in a task's world."""


class World:
    """What the tools of one run answer; safe from several threads, each answer is given once."""

    def __init__(self, task: Task) -> None:
        self._task, self._lock, self._given = task, Lock(), dict[int, int]()

    def functions(self, registry: ToolRegistry) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """What does the tools of a registry here, by name."""
        return {tool.name: self._function(tool) for tool in registry}

    def answer(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        """What a call is answered; EffectNotDone where it fails, or where the task has no answer for it."""
        for place, one in enumerate(self._task.world):
            if one.pattern.fits(tool, arguments):
                with self._lock:
                    number = self._given.get(place, 0)
                    self._given[place] = number + 1
                answer = one.answers[min(number, len(one.answers) - 1)]
                if answer.error:
                    raise EffectNotDone(answer.error)
                return answer.result
        raise EffectNotDone(f"{tool} knows nothing about {dict(arguments)!r}")

    def _function(self, tool: Tool) -> Callable[[Mapping[str, Any]], Any]:
        return lambda arguments: self.answer(tool.name, arguments)


def let_person_answer(task: Task, approvals: ApprovalStore, id: str, at: datetime) -> timedelta:
    """Say to an approval what the task's person says; how long it takes until it is settled.

    A person who is absent lets it expire.
    """
    for held in approvals.held(id):
        said = task.person_for(held.request.tool)
        if said == ABSENT_PERSON:
            return max(held.request.expires_at - at, timedelta(0))
        if held.state(at) == PENDING:
            approvals.answer(id, Answer(PERSON, said == APPROVE, at))
    return timedelta(0)
