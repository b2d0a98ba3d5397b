"""Whole runs of many steps, four tools at once, replayed and forked at each of their steps on the stores of a home."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.divergence import first_divergence
from ops_pipelines.agentops.fork import NewResult
from ops_pipelines.agentops.recording import Outcome
from ops_pipelines.agentops.replay import digest_run, played_in
from ops_pipelines.agentops.run_log import MODEL, TOOL
from ops_pipelines.agentops.run_state import DONE, WAITING
from ops_pipelines.testing.open_agents import Desk, agent_at, of_program, platform_in

PATIENT = Budgets(loops=LoopRule(steps=100_000))


@dataclass
class Reader:
    """A program that reads four pages at once, asks a model, and notes what it came to: 7 steps for each subject."""

    subjects: int
    words: str = "sum up"
    asked: list[str] = field(default_factory=list)

    def __call__(self, session):
        with ThreadPoolExecutor(4) as pool:
            return [self._about(session, subject, pool) for subject in range(self.subjects)]

    def _about(self, session, subject, pool):
        pages = list(pool.map(lambda n: session.tool("page", name=f"{subject}/{n}").result, range(4)))
        ticket = session.random("ticket", lambda: f"{len(self.asked)}")
        request = {"model": "m", "messages": [{"role": "user", "content": f"{self.words} {pages}"}]}
        said = session.model("m", request, lambda _: self._model(pages))
        return session.tool("note", text=f"{said} {ticket}").to_json()["status"]

    def _model(self, pages):
        self.asked.append(str(pages))
        return Outcome(f"{sum(map(len, map(str, pages)))} letters of {pages[0]}", 5, 7)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def clerk(tmp_path, monkeypatch, desk):
    monkeypatch.chdir(tmp_path)
    return agent_at(platform_in(tmp_path), desk, Reader(1), budgets=PATIENT)


def replays_and_touches_nothing(clerk, desk, subjects: int) -> None:
    reader = Reader(subjects)
    agent = of_program(clerk, reader)
    ran = agent.start({})
    steps = len(played_in(agent.recording(ran.run)))
    before = (len(desk.looked), len(desk.done), len(reader.asked))
    replayed = agent.replay(ran.run)
    assert (ran.state, steps, before) == (DONE, 7 * subjects + 2, (4 * subjects, subjects, subjects))
    assert (replayed.identical, replayed.result["result"]) == (True, ran.result)
    assert (len(desk.looked), len(desk.done), len(reader.asked)) == before


def test_a_run_of_tools_in_parallel_replays_to_the_same_digest_and_touches_nothing(clerk, desk):
    replays_and_touches_nothing(clerk, desk, 6)


@pytest.mark.long
def test_a_run_of_a_thousand_steps_with_four_tools_at_once_replays_identically_and_touches_nothing(clerk, desk):
    replays_and_touches_nothing(clerk, desk, 143)


def forks_at_every_step(clerk, desk, subjects: int, *, every: int = 1) -> None:
    agent = of_program(clerk, Reader(subjects))
    recording = agent.recording(agent.start({}).run)
    played, done = played_in(recording), list(desk.done)
    for at in range(0, len(played) - 1, every):
        forked = agent.fork(recording.run, at=at)
        prefix = {step.id for step in played[:at]}
        mine = [step for step in forked.steps if step.id in prefix]
        assert digest_run(mine) == digest_run(played[:at])
        assert desk.done == done
        edited = agent.fork(recording.run, at=at, edit=_edit(played[at])) if played[at].kind == TOOL else None
        assert edited is None or edited.result["state"] in (DONE, WAITING)
        assert desk.done == done
        assert edited is None or agent.replay(edited.run).identical


def _edit(step) -> NewResult:
    return NewResult({"status": "done", "result": f"otherwise at {step.occurrence}"})


def test_forks_of_a_run_repeat_none_of_its_effects_and_do_no_new_one_by_themselves(clerk, desk):
    forks_at_every_step(clerk, desk, 2, every=5)


@pytest.mark.long
def test_at_each_of_fifty_steps_a_fork_begins_identically_and_has_no_effects(clerk, desk):
    forks_at_every_step(clerk, desk, 7)


@pytest.mark.parametrize(
    ("page", "words", "cause", "kind"), [("2/3", "sum up", "tool result", TOOL), ("", "tell of", "prompt", MODEL)]
)
def test_where_two_runs_part_and_why_is_found_between_whole_runs(clerk, desk, page, words, cause, kind):
    first = of_program(clerk, Reader(3)).start({})
    desk.shown[page] = "something else"
    second = of_program(clerk, Reader(3, words)).start({})
    found = first_divergence(clerk.recording(first.run), clerk.recording(second.run))
    assert (found.cause, found.first.kind, found.second.kind) == (cause, kind, kind)


def test_runs_at_other_times_do_not_part(clerk):
    runs = [clerk.recording(of_program(clerk, Reader(2)).start({}).run) for _ in range(2)]
    assert first_divergence(*runs) is None
