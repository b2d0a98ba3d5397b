"""Whole runs of an agent that are killed with SIGKILL at a line of their code, and go on in other processes to their end.

Run as `python -m ops_pipelines.testing.killed_runs FOLDER POINTS [SEED]`; it prints what came of it as JSON.
"""

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.agents import OpenAgent
from ops_pipelines.agentops.effects import DONE as EFFECT_DONE
from ops_pipelines.agentops.effects import UNKNOWN
from ops_pipelines.agentops.memory import MemoryScope
from ops_pipelines.agentops.recording import Outcome
from ops_pipelines.agentops.run_state import DONE, WAITING, state_of
from ops_pipelines.agentops.session import Session
from ops_pipelines.testing.open_agents import Desk, agent_at, answer_all, platform_in

RUN, ORDERS = "5" * 32, ("A17", "B18")
SECRET = "sk-" + "live-9f8K2mQxT7vRw3ZbN6pLc4Yd"
"""Of each call that pays, and on no disk once it was made."""
_LONGEST = 40
"""More processes than any run needs to come to its end."""


class DeskOnDisk(Desk):
    """A desk whose effects stay when its process dies."""

    def __init__(self, world: Path) -> None:
        super().__init__()
        self.done = _Appended(world)  # type: ignore[assignment]


class _Appended:
    def __init__(self, file: Path) -> None:
        self._file = file

    def append(self, what: Any) -> None:
        """Write it at once."""
        opened = os.open(self._file, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(opened, json.dumps(what).encode() + b"\n")
        os.close(opened)


def program(told: Callable[[Any], None]) -> Callable[[Session], Any]:
    """Reads, asks, pays with a secret, remembers, and hands two notes at once to a helper; it tells `told` what it was told
    of effects.
    """

    def acts(session: Session) -> Any:
        return [_served(session, order, told) for order in session.task]

    return acts


def _served(session: Session, order: str, told: Callable[[Any], None]) -> list[str]:
    found = session.tool("order", id=order).to_json()["result"]
    session.model("m", {"about": found}, lambda _: Outcome("pay it", 3, 5))
    paid = session.tool("pay", order=f"{order} {SECRET}", amount_cents=found["amount_cents"]).to_json()["status"]
    told([order, paid])
    helper = session.inside("helper", {"order": order})

    def note(text: str) -> str:
        said: str = helper.tool("note", text=text).to_json()["status"]
        told([text, said])
        return said

    with ThreadPoolExecutor(2) as pool:
        noted = list(pool.map(note, [f"{order} {number}" for number in range(2)]))
    session.remember(order, noted, source="user")
    return [paid, *noted]


def agent_in(home: Path, *, tells: bool = True) -> OpenAgent:
    """The agent in a folder of its own."""
    told = _Appended(home / "told").append if tells else lambda _: None
    return agent_at(platform_in(home), DeskOnDisk(home / "world"), program(told))


def to_its_end(home: Path) -> None:
    """Start the run, or let it go on from where it stands, until it has ended; what waits is answered with yes."""
    for _ in range(_LONGEST):
        agent = agent_in(home)
        answer_all(agent)
        if not agent.platform.runs.steps(RUN):
            ran = agent.start(list(ORDERS), run=RUN)
        elif _state(agent) == DONE:
            return
        else:
            ran = agent.resume(RUN, anyway=True)
        if ran.state != WAITING:
            return


def killing(at: int) -> list[int]:
    """Counts the lines of this package that are run from now on, in all threads, and dies at line `at`; 0 for never."""
    seen, lock = [0], threading.Lock()

    def trace(frame: Any, event: str, argument: Any) -> Any:  # noqa: ARG001
        if "ops_pipelines" not in frame.f_code.co_filename:
            return None
        if event == "line":
            with lock:
                seen[0] += 1
                if seen[0] == at:
                    os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    return seen


def in_a_child(work: Callable[[], None]) -> int:
    """The exit code of a process that does some work, negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def lines_of(home: Path) -> int:
    """How many lines a run takes that is not killed."""
    home.mkdir()

    def count() -> None:
        seen = killing(0)
        to_its_end(home)
        sys.settrace(None)
        (home / "lines").write_text(str(seen[0]))

    assert in_a_child(count) == 0
    return int((home / "lines").read_text())


def came_to(home: Path, kills: Sequence[int]) -> dict[str, Any]:
    """What came of a run whose first processes are killed at these lines each, and that then goes on undisturbed."""
    home.mkdir()

    def killed_at(line: int) -> None:
        killing(line)
        to_its_end(home)

    def ends() -> None:
        to_its_end(home)
        (home / "judged").write_text(json.dumps(judged(home)))

    killed = sum(in_a_child(partial(killed_at, line)) == -signal.SIGKILL for line in kills)
    assert in_a_child(ends) == 0
    return {"killed": killed, **json.loads((home / "judged").read_text())}


def _state(agent: OpenAgent) -> str:
    return state_of(agent.platform.runs.steps(RUN), agent.platform.clock.wall())


def judged(home: Path) -> dict[str, Any]:
    """What is wrong with a run that has ended, and how many of its effects nobody knows of."""
    agent = agent_in(home, tells=False)
    now, world = agent.platform.clock.wall(), _lines(home / "world")
    states = [entry.state(now) for entry in agent.platform.effects.entries()]
    replayed = agent.replay(RUN)
    wrong = {
        "done twice": [line for line in set(world) if world.count(line) > 1],
        "neither done nor unknown": [state for state in states if state not in (EFFECT_DONE, UNKNOWN)],
        "more done in the journal than in the world": [states] if states.count(EFFECT_DONE) > len(world) else [],
        "more in the world than in the journal": [states] if len(world) > len(states) else [],
        "not asked for": [len(states)] if len(states) != 3 * len(ORDERS) else [],
        "told otherwise later": _forgotten(home),
        "not ended": [] if _state(agent) == DONE else [_state(agent)],
        "replays otherwise": [] if replayed.identical and replayed.result["state"] == DONE else [replayed.digest],
        "remembered twice": _remembered_twice(agent),
        "has a secret": [file.name for file in (home / ".ops").rglob("*") if file.is_file() and _has_secret(file)],
    }
    return {
        "wrong": {name: found for name, found in wrong.items() if found},
        "unknown": states.count(UNKNOWN),
        "done": len(world),
    }


def _has_secret(file: Path) -> bool:
    return SECRET.encode() in file.read_bytes()


def _remembered_twice(agent: OpenAgent) -> list[Any]:
    keys = [one.key for one in agent.platform.memory.changes(MemoryScope("local", "clerk"))]
    return [] if sorted(keys) == sorted(ORDERS) else keys


def _forgotten(home: Path) -> list[Any]:
    """What the program was told at first, where it was told otherwise when the run went on."""
    told = [json.loads(line) for line in _lines(home / "told")]
    last = dict(told)
    return [[what, state, last[what]] for what, state in told if last[what] != state]


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def main(folder: Path, points: int, seed: int) -> dict[str, Any]:
    """Kills at so many lines, spread over the whole run; every third run is killed a second time."""
    (folder / "warm").mkdir()
    to_its_end(folder / "warm")  # what is imported late is imported once, and not in each child
    lines, dice = lines_of(folder / "whole"), random.Random(seed)
    at = sorted({1 + lines * number // points for number in range(points)})
    kills = [[line, *([dice.randint(1, lines)] if dice.random() < 1 / 3 else [])] for line in at]
    found = [came_to(folder / str(each[0]), each) for each in kills]
    return {
        "points": len(at),
        "killed": sum(one["killed"] for one in found),
        "unknown": sum(one["unknown"] for one in found),
        "most_unknown": max(one["unknown"] for one in found),
        "done": sum(one["done"] for one in found),
        "wrong": [[each, one["wrong"]] for each, one in zip(kills, found, strict=True) if one["wrong"]],
    }


if __name__ == "__main__":
    folder, points, *seed = sys.argv[1:]
    sys.stdout.write(json.dumps(main(Path(folder), int(points), int(*seed or (0,)))) + "\n")
