"""tau-bench's airline desk as tasks and runs: what was needed by its own list of actions, and what the agent did.

An action that changes the desk's data is needed; whatever only looks is allowed. An answer that begins with `Error` is a
call that failed and changed nothing, as the desk has it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.tool_calls import data
from ops_pipelines.agentops.evaluation.task import CallPattern, Expected, ExpectedCall, Task
from ops_pipelines.testing.task_runs import Did

ACTS = frozenset(
    {
        "book_reservation",
        "cancel_reservation",
        "send_certificate",
        "update_reservation_baggages",
        "update_reservation_flights",
        "update_reservation_passengers",
    }
)
"""The tools that change the desk's data, by which it decides on success."""
_LOOKS = (
    "calculate",
    "get_reservation_details",
    "get_user_details",
    "list_all_airports",
    "search_direct_flight",
    "search_onestop_flight",
    "think",
    "transfer_to_human_agents",
)


@dataclass(frozen=True, slots=True)
class DeskRun:
    """A recorded run of the desk: its task, the calls that were made, and whether the desk was satisfied.

    `asks_words` where success also needs something to be said to the customer, which no call shows.
    """

    task: Task
    calls: tuple[Did, ...]
    succeeded: bool
    asks_words: bool

    @property
    def repeats_the_list(self) -> bool:
        """Whether the changing calls are the needed ones, one for one and in their order: the plain comparison of lists."""
        made = [(call.tool, dict(call.arguments)) for call in self.calls if call.tool in ACTS]
        return made == [(need.tool, dict(need.arguments or {})) for need in self.task.expected.calls or ()]


def desk_runs() -> Iterator[DeskRun]:
    """The recorded runs, in their order."""
    for line in (data() / "tau_airline_dev.jsonl").read_text().splitlines():
        record = json.loads(line)
        asked = record["info"]["task"]
        needed = [action for action in asked["actions"] if action["name"] in ACTS]
        calls = tuple(ExpectedCall(action["name"], action["kwargs"], f"{at}") for at, action in enumerate(needed))
        expected = Expected(calls=calls, may=tuple(CallPattern(tool) for tool in _LOOKS))
        yield DeskRun(
            Task(str(record["task_id"]), asked["instruction"], expected),
            tuple(_calls(record["traj"])),
            record["reward"] == 1.0,
            bool(asked.get("outputs")),
        )


def _calls(messages: Sequence[Mapping[str, Any]]) -> Iterator[Did]:
    results: dict[str, list[str]] = {}  # an id that was used again has several, in order
    for message in messages:
        if message["role"] == "tool":
            results.setdefault(message["tool_call_id"], []).append(str(message["content"]))
    for message in messages:
        for call in message.get("tool_calls") or ():
            function, waiting = call["function"], results.get(call["id"])
            content = waiting.pop(0) if waiting else "Error: no answer"
            failed = content.startswith("Error")
            given = json.loads(function["arguments"])
            yield Did(function["name"], given, None if failed else _value(content), error=content if failed else "")


def _value(content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content
