"""Which of the calls that were made are the ones that were needed: as many of them as can be.

One call serves one need. Nothing but `before` asks for an order.
"""

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
    serving = [[at for at, call in enumerate(made) if _serves(task, need, made, at)] for need in needed]
    taken: dict[int, int] = {}
    for need in range(len(needed)):
        _assign(need, serving, taken, set())
    met = set(taken.values())
    return Alignment(
        {at: needed[need] for at, need in sorted(taken.items())},
        tuple(call for number, call in enumerate(needed) if number not in met),
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


def _serves(task: Task, need: ExpectedCall, made: Sequence[Made], at: int) -> bool:
    call, earlier, expected = made[at], made[:at], task.expected
    if not need.fits(call.tool, call.arguments) or not counts(task, call):
        return False
    if too_early(expected, need, earlier, task):
        return False
    return broken_reading(call, earlier, expected.reads) is None


def _assign(need: int, serving: Sequence[Sequence[int]], taken: dict[int, int], tried: set[int]) -> bool:
    """Find a call for a need, moving others to calls that serve them too (an augmenting path)."""
    for at in serving[need]:
        if at in tried:
            continue
        tried.add(at)
        if at not in taken or _assign(taken[at], serving, taken, tried):
            taken[at] = need
            return True
    return False
