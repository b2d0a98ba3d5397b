"""Tools that say what they have done, and an approval that somebody has granted: what tests of the gate need."""

import threading
from typing import Annotated

from ops_pipelines.agentops.approval import Answer as PersonsAnswer
from ops_pipelines.agentops.claims import AMOUNT_CENTS, DESTINATION
from ops_pipelines.agentops.tool_call import Waiting
from ops_pipelines.agentops.tool_function import tool_of
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.testing.gates import NOON

REFUND = {"to": "bob@acme.example", "amount_cents": 1200}


class World:
    """What the tools have done, and how they behave."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []
        self.raises: BaseException | None = None
        self.hangs = threading.Event()
        self.hangs.set()
        self.read = "all is well"

    def tools(self):
        def look(week: str) -> str:
            """What happened."""
            return self._do("look", week) or self.read

        def write(note: str) -> dict[str, bool]:
            self._do("write", note)
            return {"written": True}

        def fetch(url: str) -> str:
            self._do("fetch", url)
            return self.read

        def refund(to: Annotated[str, DESTINATION], amount_cents: Annotated[int, AMOUNT_CENTS]) -> str:
            return self._do("refund", (to, amount_cents)) or "paid"

        def drop(volume: str) -> str:
            return self._do("drop", volume) or "dropped"

        effects = {look: "read", write: "write", fetch: "egress", refund: "money", drop: "destructive"}
        return [tool_of(function, effect=effect, trusted=function is look) for function, effect in effects.items()]

    def _do(self, tool: str, what: object) -> None:
        self.hangs.wait(60)
        if self.raises:
            raise self.raises
        self.done.append((tool, what))


def approved(gate: Gate, tool: str, arguments: dict, *, by: str = "anna", at=NOON) -> str:
    """The id of an approval that somebody has granted."""
    answer = gate.call(tool, arguments)
    assert isinstance(answer, Waiting), answer
    gate.parts.approvals.answer(answer.approval, PersonsAnswer(by, granted=True, at=at))
    return answer.approval
