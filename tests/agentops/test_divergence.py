import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ops_pipelines.agentops.divergence import (
    CLOCK_CHANGED,
    CODE,
    MEMORY,
    MODEL_CHANGED,
    PROMPT,
    TASK,
    TOOL_RESULT,
    first_divergence,
)
from ops_pipelines.agentops.recording import Outcome, Scope
from ops_pipelines.agentops.run_log import Recording, recording_of
from ops_pipelines.testing.agent_program import record
from ops_pipelines.testing.run_log import MONDAY, RUN, MemoryRunLog, entry_of

CAUSES = (PROMPT, MODEL_CHANGED, TOOL_RESULT, MEMORY, CODE, CLOCK_CHANGED)


@dataclass
class World:
    """An agent and its outside, made from a seed; `cause` is what is otherwise in it, from the turn `at` on."""

    seed: int
    cause: str = ""
    at: int = 0
    jitter: int = 0
    turns: int = 8

    def __call__(self, scope: Scope) -> None:
        shape = random.Random(self.seed)
        for turn in range(self.turns):
            self.turn(scope, shape.sample(range(4), 4), turn, is_otherwise=turn >= self.at)

    def turn(self, scope: Scope, order: list[int], turn: int, *, is_otherwise: bool) -> None:
        cause = self.cause if is_otherwise else ""
        at = scope.now(lambda: self.clock(cause, turn))
        parts: list[Any] = [scope.memory("notes", {"turn": turn}, lambda: self.memory(cause, turn))]
        parts += [scope.tool(f"read-{n}", {"turn": turn}, lambda n=n: self.tool(cause, turn, n)) for n in order]
        if cause == CODE and turn % 2:
            parts.append(scope.tool("extra", {}, lambda: 1))
        if at.hour >= 18:
            parts.append(scope.tool("night", {}, lambda: "it is late"))
        words = f"{'Kindly judge' if cause == PROMPT else 'Judge'} {parts} at {at.isoformat()}"
        request = {"model": "desk-1", "temperature": 0.5 if self.other_parameters(cause) else 0, "messages": [words]}
        said = scope.model("desk-1", request, lambda _: self.model(cause, len(str(parts))))
        scope.tool("act", {"what": said, "twice": cause == CODE}, lambda: "done")

    def other_parameters(self, cause: str) -> bool:
        return cause == MODEL_CHANGED and self.seed % 2 == 0

    def clock(self, cause: str, turn: int) -> datetime:
        late = timedelta(hours=19) if cause == CLOCK_CHANGED else timedelta(hours=9)
        return MONDAY + late + timedelta(minutes=turn, microseconds=self.jitter * (turn + 1))

    def memory(self, cause: str, turn: int) -> Outcome:
        return Outcome([f"note {turn}{' more' if cause == MEMORY else ''}"], memory_version="acme@1")

    def tool(self, cause: str, turn: int, number: int) -> dict[str, Any]:
        return {"score": self.seed % 97 + turn, "late": cause == TOOL_RESULT and number == self.seed % 4}

    def model(self, cause: str, words: int) -> str:
        return f"judged {words % 5}{' otherwise' if cause == MODEL_CHANGED else ''}"


def recorded(world: World, *, release: str = "r1") -> Recording:
    log = MemoryRunLog()
    record(world, log.append, release=release)
    return recording_of(log, RUN)


def pair(seed: int, cause: str) -> tuple[Recording, Recording, int]:
    """Two runs at different times of which the second has one cause from one turn on."""
    at = random.Random(seed + 1000).randrange(8)
    release = "r2" if cause in (CODE, PROMPT) else "r1"
    other = World(seed, cause, at, jitter=17 + seed)
    return recorded(World(seed, jitter=seed)), recorded(other, release=release), at


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_of_seeded_pairs_is_found_in_the_turn_in_which_it_began(cause):
    right = 0
    for seed in range(20):
        first, second, at = pair(seed, cause)
        found = first_divergence(first, second)
        turn = sum(step.kind == "memory_read" for step in first.steps[: found.at + 1]) - 1 if found else None
        right += found is not None and (found.cause, turn) == (cause, at)
    assert right >= 19


def test_runs_at_other_times_with_other_numbers_drawn_do_not_diverge():
    for seed in range(25):
        assert first_divergence(recorded(World(seed, jitter=seed)), recorded(World(seed, jitter=seed + 5))) is None


@pytest.mark.parametrize(("said", "differs"), [("done", False), ("left", True)])
def test_of_hundreds_of_instants_each_is_known_where_it_stands_in_a_text(said, differs):
    def reading(start, said):
        def program(scope):
            for turn in range(300):
                at = scope.now(lambda turn=turn: start + timedelta(seconds=turn)).isoformat()
            scope.tool("tell", {"text": f"{said} at {at}, and not before"}, lambda: 1)

        record(program, (log := MemoryRunLog()).append)
        return recording_of(log, RUN)

    found = first_divergence(reading(MONDAY, "done"), reading(MONDAY + timedelta(hours=1, microseconds=7), said))
    assert (found is not None) == differs


def test_a_run_does_not_diverge_from_itself():
    run = recorded(World(3))
    assert first_divergence(run, run) is None


def test_parallel_steps_that_ended_in_another_order_are_no_divergence():
    run = recorded(World(3))
    by_end = sorted(run.steps, key=lambda step: (step.kind != "agent", step.occurrence, step.name))
    assert first_divergence(run, replace(run, steps=tuple(by_end))) is None


def test_a_run_that_goes_on_diverges_after_the_last_step_of_the_other():
    first, second = recorded(World(3, turns=2)), recorded(World(3, turns=3))
    found = first_divergence(first, second)
    assert (found.at, found.first, found.cause) == (len(first.steps), None, CODE)
    assert found.words == "only the second run does clock 'now' #2"


def test_a_run_that_ends_early_diverges_where_the_other_goes_on():
    first, second = recorded(World(3, turns=3)), recorded(World(3, turns=2))
    found = first_divergence(first, second)
    assert (found.at, found.second, found.cause) == (len(second.steps), None, CODE)


def recording(*entries) -> Recording:
    log = MemoryRunLog()
    log.append(entries)
    return recording_of(log, RUN)


def test_another_model_by_name_is_the_models_doing():
    asked = {"inputs": {"messages": ["x"]}, "outputs": "y"}
    first = recording(entry_of("desk-1", kind="model", **asked))
    second = recording(entry_of("desk-2", kind="model", **asked))
    assert first_divergence(first, second).cause == MODEL_CHANGED


def test_another_task_is_named_as_such():
    first, second = (recording(entry_of("oncall", kind="agent", inputs=task)) for task in ("a", "b"))
    assert first_divergence(first, second).cause == TASK


def test_a_tool_that_failed_in_one_run_answers_otherwise():
    first, second = recording(entry_of(outputs=1)), recording(entry_of(outputs={"type": "Timeout"}, error="Timeout"))
    found = first_divergence(first, second)
    assert (found.cause, found.words) == (TOOL_RESULT, "tool 'drift_report' #0 answers otherwise")
