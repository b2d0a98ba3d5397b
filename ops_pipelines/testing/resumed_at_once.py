"""A run that waits and was approved, resumed by many processes and threads at the same instant.

Run as `python -m ops_pipelines.testing.resumed_at_once FOLDER PROCESSES THREADS`; it prints what came of it as JSON.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ops_pipelines.agentops.run_log import TOOL
from ops_pipelines.core.errors import NotAllowed, OpsError
from ops_pipelines.testing.killed_runs import DeskOnDisk
from ops_pipelines.testing.open_agents import agent_at, answer_all, platform_in

RUN = "6" * 32


def agent_in(home: Path) -> Any:
    """An agent in a folder of its own that pays one order."""
    paying = {"order": "A17", "amount_cents": 1200}
    desk = DeskOnDisk(home / "world")
    return agent_at(platform_in(home), desk, lambda session: session.tool("pay", **paying).to_json()["status"])


def resumed(home: Path, threads: int, at: float) -> list[str]:
    """What came of it for each thread of this process: how the run stands, or which error."""
    agent, came, together = agent_in(home), list[str](), threading.Barrier(threads)

    def resume() -> None:
        together.wait()
        time.sleep(max(0.0, at - time.time()))
        try:
            came.append(agent.resume(RUN, anyway=True).state)
        except OpsError as error:
            came.append("refused" if isinstance(error, NotAllowed) else type(error).__name__)

    running = [threading.Thread(target=resume) for _ in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    return came


def main(folder: Path, processes: int, threads: int) -> dict[str, Any]:
    """What came of all, what was done in the world, and what the run's record says of the call."""
    agent_in(folder).start({}, run=RUN)
    answer_all(agent_in(folder))
    at = time.time() + 1.0
    children = [_child(folder, number, threads, at) for number in range(processes)]
    for child in children:
        os.waitpid(child, 0)
    came = [one for number in range(processes) for one in json.loads((folder / f"came-{number}").read_text())]
    recording = agent_in(folder).recording(RUN)
    told = [recording.value(step.outputs) for step in recording.steps if step.kind == TOOL]
    return {"came": Counter(came), "world": (folder / "world").read_text().splitlines(), "told": told}


def _child(folder: Path, number: int, threads: int, at: float) -> int:
    child = os.fork()
    if child == 0:
        try:
            (folder / f"came-{number}").write_text(json.dumps(resumed(folder, threads, at)))
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
    return child


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))) + "\n")
