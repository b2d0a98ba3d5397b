"""What each tool call of a run was: right, or which kind of misstep, and whether it was decisive alone.

A misstep is decisive where it did something that cannot be made good, and where it is the first wrong try at a needed call
that was never made right.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ops_pipelines.agentops.evaluation.alignment import Alignment, too_early
from ops_pipelines.agentops.evaluation.calls import Made
from ops_pipelines.agentops.evaluation.matching import differing
from ops_pipelines.agentops.evaluation.readings import Misreading, Shown, broken_reading, is_handed_on
from ops_pipelines.agentops.evaluation.task import ExpectedCall, Task
from ops_pipelines.agentops.evaluation.task_verdict import (
    MISREAD,
    NEEDLESS,
    OUT_OF_ORDER,
    REPEATED_ERROR,
    RIGHT,
    UNJUDGED,
    WRONG_ACTION,
    WRONG_ARGUMENTS,
    WRONG_TOOL,
    StepVerdict,
)
from ops_pipelines.agentops.tool_call import APPROVE as AT_APPROVAL
from ops_pipelines.agentops.tool_call import VALIDATE


class StepJudge:
    """Judges the calls of one run, in their order."""

    def __init__(self, task: Task, made: Sequence[Made], aligned: Alignment, acts: Collection[str]) -> None:
        self._task, self._expected, self._made = task, task.expected, made
        self._aligned, self._acts = aligned, acts
        self._needed = task.expected.calls or ()
        # A call that is needed and was never tried may have been meant by a call of another tool.
        tried = {call.tool for at, call in enumerate(made) if at not in aligned.served}
        self._untried = [need for need in aligned.missing if need.tool not in tried]
        self._unread = {(one.tool, one.argument) for one in task.expected.reads if not is_handed_on(one, made)}
        self._shown = Shown(made)
        self._blamed: set[int] = set()
        self._failed: set[str] = set()

    def verdicts(self) -> tuple[StepVerdict, ...]:
        """The verdict on each call."""
        return tuple(self._judge(at, call) for at, call in enumerate(self._made))

    def _judge(self, at: int, call: Made) -> StepVerdict:
        again, key = False, call.key
        if call.error:
            again = key in self._failed
            self._failed.add(key)
        for never in self._expected.never:
            if never.fits(call.tool, call.arguments):
                return self._action(call, f"{call.shown} may never be done", harm=call.was_done)
        if at in self._aligned.served:
            return replace(_verdict(call, RIGHT), foreseen=call.stage == AT_APPROVAL)
        if again:
            return _verdict(call, REPEATED_ERROR, f"{call.shown} had failed before")
        if any(may.fits(call.tool, call.arguments) for may in self._expected.may):
            return _verdict(call, RIGHT)
        return self._unserving(at, call)

    def _unserving(self, at: int, call: Made) -> StepVerdict:
        """A call that is neither needed, as it stands, nor allowed."""
        misread = broken_reading(call, self._made[:at], self._expected.reads)
        if self._expected.calls is None:
            is_read = any(reading.tool == call.tool for reading in self._expected.reads)
            return self._misread(call, misread, None) if misread else _verdict(call, RIGHT if is_read else UNJUDGED)
        fitting = [need for need in self._needed if need.fits(call.tool, call.arguments)]
        if call.stage == VALIDATE:
            return self._refused(call)
        if fitting:
            return self._fitting(at, call, fitting[0], misread)
        if any(need.tool == call.tool for need in self._needed):
            return self._other_arguments(at, call, misread)
        return self._other_tool(call)

    def _fitting(self, at: int, call: Made, need: ExpectedCall, misread: Misreading | None) -> StepVerdict:
        """A call like one that is needed, which nevertheless serves none."""
        if call.error and not (call.unknown and call.tool in self._acts):
            return _verdict(call, RIGHT)
        first = too_early(self._expected, need, self._made[:at], self._task)
        if first:
            return self._wrong(call, OUT_OF_ORDER, f"{first} has to come before {call.shown}", need)
        if misread:
            return self._misread(call, misread, need)
        if call.tool in self._acts:
            return self._action(call, f"{call.shown} was done again", harm=call.was_done)
        if any(one.tool == call.tool for one in self._aligned.missing):  # it was made again in place of that one
            return self._other_arguments(at, call, None)
        return _verdict(call, NEEDLESS, f"{call.shown} was known already")

    def _other_arguments(self, at: int, call: Made, misread: Misreading | None) -> StepVerdict:
        """A call of a tool that is needed, with arguments that are not."""
        need = self._closest(call)
        if need not in self._aligned.missing and call.tool not in self._acts and not call.error:
            return _verdict(call, NEEDLESS, f"{call.shown} is not needed")
        expected: Mapping[str, Any] = need.arguments or {}
        found = misread or self._shown.misread(at, expected)
        if found:
            return self._misread(call, found, need)
        wrong = [f"{path} should be {should!r}" for path, should, _ in differing(expected, call.arguments)]
        return self._wrong(call, WRONG_ARGUMENTS, f"{call.shown}: {', '.join(wrong)}", need)

    def _other_tool(self, call: Made) -> StepVerdict:
        acts = call.tool in self._acts
        if acts and call.was_done:
            return self._action(call, f"nobody expected {call.shown}", harm=True)
        need = self._meant(acts=acts)
        if need:
            return self._wrong(call, WRONG_TOOL, f"{call.shown} where {need.shown} was needed", need)
        if acts:
            return self._action(call, f"nobody expected {call.shown}", harm=False)
        return _verdict(call, NEEDLESS, f"{call.shown} is not needed")

    def _refused(self, call: Made) -> StepVerdict:
        """A call that no tool would take."""
        known = [need for need in self._needed if need.tool == call.tool]
        if known:
            return self._wrong(call, WRONG_ARGUMENTS, call.error, self._closest(call))
        return self._wrong(call, WRONG_TOOL, call.error, self._meant(acts=True) or self._meant(acts=False))

    def _meant(self, *, acts: bool) -> ExpectedCall | None:
        """A needed call that nobody ever tried and that this one may have been meant to be, each once.

        A call that only reads is not made in place of one that acts: that one was left out.
        """
        found = next((need for need in self._untried if (need.tool in self._acts) == acts), None)
        if found:
            self._untried.remove(found)
        return found

    def _closest(self, call: Made) -> ExpectedCall:
        """The needed call that this one was most likely meant to be: of those that are missing, if any is."""
        same = [need for need in self._needed if need.tool == call.tool]
        open_ones = [need for need in same if need in self._aligned.missing] or same
        return min(open_ones, key=lambda need: len(list(differing(need.arguments or {}, call.arguments))))

    def _misread(self, call: Made, found: Misreading, need: ExpectedCall | None) -> StepVerdict:
        kind = OUT_OF_ORDER if found.unread else MISREAD if found.source else WRONG_ARGUMENTS
        lost, place = self._unread, (call.tool, found.argument)
        verdict = self._wrong(call, kind, f"{call.tool}: {found.why}", need, should=found.should, source=found.source)
        if place not in lost:
            return verdict
        lost.remove(place)
        return replace(verdict, decisive=True)

    def _wrong(
        self, call: Made, kind: str, why: str, need: ExpectedCall | None, *, should: Any = None, source: str = ""
    ) -> StepVerdict:
        harm = call.tool in self._acts and call.was_done
        first = need is not None and self._is_first_at(need)
        told = should if should is not None else need.shown if need else None
        return _verdict(call, kind, why, decisive=harm or first, should=told, source=source)

    def _is_first_at(self, need: ExpectedCall) -> bool:
        """Whether this is the first wrong try at a call that was never made right."""
        number = next((at for at, one in enumerate(self._aligned.missing) if one is need), None)
        if number is None or number in self._blamed:
            return False
        self._blamed.add(number)
        return True

    def _action(self, call: Made, why: str, *, harm: bool) -> StepVerdict:
        return _verdict(call, WRONG_ACTION, why if harm else f"{why}, and it was stopped", decisive=harm)


def _verdict(
    call: Made, kind: str, why: str = "", *, decisive: bool = False, should: Any = None, source: str = ""
) -> StepVerdict:
    return StepVerdict(call.step, call.tool, kind, why, decisive, should, source, call.error)
