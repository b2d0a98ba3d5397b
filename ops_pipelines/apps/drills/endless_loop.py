"""D16: agents hand the same question round and round for days, each message with an id of its own.

A limit on "the same message again" never counts to two, since no message is. Each is paid for.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    from ops_pipelines.agentops.gate_parts import Parts

PERIODS = (1, 2, 3, 4)
DAYS_OF_CALLS = 2_000
"""Where the drill itself gives up on an unguarded loop."""
PRICE, BUDGET = Decimal("0.01"), Decimal("0.25")
NAMES = ("planner", "checker", "writer", "reviewer")


def unguarded(folder: Path) -> Outcome:  # noqa: ARG001  (it needs no files)
    """Each agent answers what it was asked, unless it has answered this very message before."""
    calls = {period: _until_told_twice(period) for period in PERIODS}
    spent = sum(calls.values()) * PRICE
    return Outcome(
        harmed=all(made == DAYS_OF_CALLS for made in calls.values()),
        caught=False,
        reason=f"still going after {DAYS_OF_CALLS} calls, ${spent} spent of ${BUDGET}",
        evidence={"calls": {str(period): made for period, made in calls.items()}, "spent_usd": str(spent)},
    )


def guarded(folder: Path) -> Outcome:
    """The same through the gate; and agents that never say the same, whom only the budget stops."""
    found = {period: _gated(folder, f"period-{period}", _messages(period)) for period in PERIODS}
    talk = _gated(
        folder, "talk", ((name, f"and what of part {number}?", new) for number, (name, _, new) in _numbered())
    )
    calls, reasons = {period: made for period, (made, _) in found.items()}, [reason for _, reason in found.values()]
    in_time = all(made <= 3 * period for period, made in calls.items())
    in_budget = talk[0] * PRICE <= BUDGET
    return Outcome(
        harmed=not (in_time and in_budget),
        caught=all("circles" in reason for reason in reasons) and "budget" in talk[1],
        reason=reasons[-1],
        evidence={
            "calls": {str(period): made for period, made in calls.items()},
            "talk": {"calls": talk[0], "spent_usd": str(talk[0] * PRICE), "reason": talk[1]},
        },
    )


DRILL = Drill(
    number="D16",
    name="endless loop",
    incident="agents hand a question round for days, with changing ids, and each message is paid for",
    source="public reports of agents that talked to each other for days",
    names="goes in circles",
    unguarded=unguarded,
    guarded=guarded,
)


def _messages(period: int) -> Iterator[tuple[str, str, str]]:
    """To whom, what, and under which id: round and round."""
    for number in count():
        yield (
            NAMES[number % period],
            "is it done? please ask the next one",
            str(UUID(int=number * 7919 + 2**120, version=4)),
        )


def _numbered() -> Iterator[tuple[int, tuple[str, str, str]]]:
    return enumerate(_messages(2))


def _until_told_twice(period: int) -> int:
    seen, made = set(), 0
    for message in _messages(period):
        if message in seen or made == DAYS_OF_CALLS:
            break
        seen.add(message)
        made += 1
    return made


def _gated(folder: Path, run: str, messages: Iterator[tuple[str, str, str]]) -> tuple[int, str]:
    """How many messages were handed on, and why the next one was not."""
    from ops_pipelines.agentops.tool_call import Denied
    from ops_pipelines.testing.gates import gate_of

    gate = gate_of(_parts(folder), run=run, limit_usd=str(BUDGET))
    for made, (to, text, message_id) in enumerate(messages):
        answer = gate.call("ask", {"to": to, "text": text, "message_id": message_id})
        if isinstance(answer, Denied):
            return made, answer.reason
        if made == DAYS_OF_CALLS:
            break
    return DAYS_OF_CALLS, "nothing stopped it"


def _parts(folder: Path) -> "Parts":
    from ops_pipelines.agentops.tool_function import tool_of
    from ops_pipelines.apps.drills.small_agent import parts_in
    from ops_pipelines.testing.gates import ClockByHand

    new: Callable[[], int] = count().__next__

    def ask(to: str, text: str, message_id: str) -> dict[str, str]:  # noqa: ARG001  (it never listens)
        return {"id": f"m-{new()}", "from": to, "text": "not yet, please ask the next one"}

    return parts_in(folder, tool_of(ask, effect="read"), now=ClockByHand(), prices={"ask": PRICE})
