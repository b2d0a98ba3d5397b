"""Which of the calls that were made are the ones that were needed: as many of them as can be.

One call serves one need. Nothing but `before` asks for an order.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops_pipelines.agentops.evaluation.calls import Made
from ops_pipelines.agentops.evaluation.readings import broken_reading
from ops_pipelines.agentops.evaluation.task import APPROVE, Expected, ExpectedCall, Task
from ops_pipelines.agentops.tool_call import APPROVE as AT_APPROVAL


@dataclass(frozen=True, slots=True)
class Alignment:
    """`served` has the needed call by the position of the call that served it; `missing` what no call served."""

    served: Mapping[int, ExpectedCall]
    missing: tuple[ExpectedCall, ...]


def align(task: Task, made: Sequence[Made]) -> Alignment:
    """The largest set of needs that were served, each by the first call that is free for it."""
    needed = task.expected.calls or ()
    able = [at for at, call in enumerate(made) if _could_serve(task, call, made[:at])]
    serving = [[at for at in able if _serves(task, need, made, at)] for need in needed]
    taken: dict[int, int] = {}
    held: dict[int, int] = {}
    for need in range(len(needed)):
        _assign(need, serving, taken, held)
    return Alignment(
        {at: needed[need] for at, need in sorted(taken.items())},
        tuple(call for number, call in enumerate(needed) if number not in held),
    )


def counts(task: Task, call: Made) -> bool:
    """Whether a call came to what the task has in store for it: a result, or the failure that it cannot but meet."""
    if not call.error:
        return True
    if call.stage == AT_APPROVAL:
        return task.person_for(call.tool) != APPROVE
    answers = next((one.answers for one in task.world if one.pattern.fits(call.tool, call.arguments)), ())
    return bool(answers) and all(answer.error for answer in answers)


def too_early(expected: Expected, need: ExpectedCall, earlier: Sequence[Made], task: Task) -> str:
    """The name of the call that had to come before a need and has not; empty where none had."""
    named = {call.name: call for call in expected.calls or ()}
    for first, second in expected.before:
        if second == need.name and not any(
            named[first].fits(call.tool, call.arguments) and counts(task, call) for call in earlier
        ):
            return first
    return ""


def _could_serve(task: Task, call: Made, earlier: Sequence[Made]) -> bool:
    """Whether a call came to something, and read what it had to read."""
    return counts(task, call) and broken_reading(call, earlier, task.expected.reads) is None


def _serves(task: Task, need: ExpectedCall, made: Sequence[Made], at: int) -> bool:
    call, waits = made[at], any(second == need.name for _, second in task.expected.before)
    if not need.fits(call.tool, call.arguments):
        return False
    return not waits or not too_early(task.expected, need, made[:at], task)


def _assign(need: int, serving: Sequence[Sequence[int]], taken: dict[int, int], held: dict[int, int]) -> None:
    """Find a call for a need, moving others to calls that serve them too: the shortest augmenting path, if there is one."""
    asked_by: dict[int, int] = {}
    waiting = deque([need])
    while waiting:
        one = waiting.popleft()
        for at in serving[one]:
            if at in asked_by:
                continue
            asked_by[at] = one
            if at not in taken:
                _turn(at, asked_by, taken, held)
                return
            waiting.append(taken[at])


def _turn(at: int, asked_by: Mapping[int, int], taken: dict[int, int], held: dict[int, int]) -> None:
    """Give a free call to who asked for it, what that one had to who asked for that, and so on."""
    free: int | None = at
    while free is not None:
        one = asked_by[free]
        before = held.get(one)
        taken[free], held[one] = one, free
        free = before
