"""A hundred seeded pairs of whole runs, each with one thing otherwise from one turn on: where they part, and why."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.divergence import (
    CLOCK_CHANGED,
    CODE,
    MEMORY,
    MODEL_CHANGED,
    PROMPT,
    TOOL_RESULT,
    first_divergence,
)
from ops_pipelines.agentops.recording import Outcome
from ops_pipelines.agentops.run_state import DONE
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.testing.open_agents import Desk, agent_at, of_program, platform_in

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

CAUSES = (PROMPT, MODEL_CHANGED, TOOL_RESULT, MEMORY, CODE, CLOCK_CHANGED)
TURNS, PAIRS = 4, 17
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Inspector:
    """Looks at four pages at once, asks a model, notes the answer, four times; `cause` is otherwise from `at` on."""

    desk: Desk
    seed: int
    cause: str = ""
    at: int = 0
    jitter: int = 0

    def __call__(self, session):
        shape = random.Random(self.seed)
        with ThreadPoolExecutor(4) as pool:
            for turn in range(TURNS):
                self._turn(session, pool, turn, shape.sample(range(9), 4), self.cause if turn >= self.at else "")

    def _turn(self, session, pool, turn, pages, cause):
        at = session.now(lambda: self._clock(turn, cause))
        ticket = session.random("ticket", lambda: f"ticket-{self.seed}-{self.jitter}-{turn}")
        notes = session.memory("notes", {"turn": turn}, lambda: [f"note {turn}{' and more' * (cause == MEMORY)}"])
        self.desk.shown[f"{turn}/{pages[0]}"] = f"another page {turn}" if cause == TOOL_RESULT else f"page {turn}"
        read = list(pool.map(lambda number: session.tool("page", name=f"{turn}/{number}").result, pages))
        if at.hour >= 18:
            night = session.tool("page", name="night").result
            read += [night] * (self.seed % 2)  # also where the model is told of it
        words = f"{'Kindly sum up' if cause == PROMPT else 'Sum up'} {notes} {read} at {at.isoformat()}"
        request = {"model": "m", "temperature": self._temperature(cause), "messages": [words]}
        said = session.model("m", request, lambda _: Outcome(f"{len(str(read)) % 7} {self._style(cause)}", 5, 7))
        session.tool("note", text=f"{said} {ticket}{' twice' * (cause == CODE)}")

    def _clock(self, turn, cause):
        return MORNING + timedelta(hours=10 * (cause == CLOCK_CHANGED), minutes=turn, microseconds=self.jitter + turn)

    def _temperature(self, cause):
        return 0.5 if cause == MODEL_CHANGED and self.seed % 2 else 0

    def _style(self, cause):
        return "otherwise" if cause == MODEL_CHANGED else "as ever"


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def clerk(tmp_path, monkeypatch, desk):
    monkeypatch.chdir(tmp_path)
    return agent_at(platform_in(tmp_path), desk, lambda _: None, budgets=Budgets(loops=LoopRule(steps=100_000)))


def of_other_code(agent):
    """The same agent as the release of another commit, whose prompt or program is another."""
    behaviour = {**agent.manifest.behaviour, "code": digest_json("another commit")}
    return replace(agent, manifest=replace(agent.manifest, behaviour=behaviour))


def recorded(agent, world):
    ran = of_program(agent, world).start({"inspect": world.seed})
    assert ran.state == DONE
    return agent.recording(ran.run)


def pair(clerk, desk, seed, cause=""):
    """Two runs at other times that drew other tickets, the second with one cause from a turn on; and that turn."""
    at, other = random.Random(seed + 1000).randrange(TURNS), of_other_code(clerk) if cause in (CODE, PROMPT) else clerk
    first = recorded(clerk, Inspector(desk, seed, jitter=seed + 1))
    second = recorded(other, Inspector(desk, seed, cause, at, jitter=seed + 500))
    return first, second, at


def turn_of(recording, found):
    return sum(step.name == "notes" for step in recording.steps[: found.at + 1]) - 1


@pytest.mark.parametrize("cause", CAUSES)
def test_why_whole_runs_part_is_found_in_the_turn_in_which_it_began(clerk, desk, cause):
    right = []
    for seed in range(PAIRS):
        first, second, at = pair(clerk, desk, seed, cause)
        found = first_divergence(first, second)
        right.append(found is not None and (found.cause, turn_of(first, found)) == (cause, at))
    assert sum(right) >= 0.95 * PAIRS


def test_whole_runs_that_differ_in_their_instants_and_tickets_alone_do_not_part(clerk, desk):
    for seed in range(PAIRS):
        first, second, _ = pair(clerk, desk, seed)
        assert first_divergence(first, second) is None
