"""A process that takes answers is killed at random instants: what was lost is little and young, and nothing durable."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.apps.model_server.settings import ACKNOWLEDGED_AT_RISK
from ops_pipelines.testing.prediction_log import WEEK

SERVER = """
import asyncio, os, sys, time
from pathlib import Path
from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.apps.log_writer import LogWriter
from ops_pipelines.testing.prediction_log import answer_of

path, name, most, slow = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

class Disk(SQLitePredictionLog):
    def keep(self, answers, *, durable=False):
        time.sleep(slow)
        super().keep(answers, durable=durable)

class Batch:
    def __init__(self, ids): self.ids = ids
    def __len__(self): return len(self.ids)
    def answers(self): return [answer_of(each) for each in self.ids]

def say(kind, batch):
    os.write(1, "".join(f"{kind} {time.monotonic()} {each}\\n" for each in batch.ids).encode())

async def answer():
    writer = LogWriter(Disk(path), most_pending=most)
    writer.start()
    os.write(1, b"ready\\n")
    for number in range(10**9):
        batch = Batch([f"{name}-{number}-{row}" for row in range(1 + number % 3)])
        if number % 50 == 49:
            await writer.durably(batch)
            say("durable", batch)
        elif writer.offer(batch):
            say("queued", batch)
        else:
            await writer.room(1.0)
        if number % 5 == 4:
            await asyncio.sleep(0.001)

asyncio.run(answer())
"""


@dataclass(frozen=True)
class Killed:
    """What was acknowledged before a kill, by its way, and what of it is not in the log."""

    acknowledged: int
    lost_queued: list[float]
    lost_durable: int


def kill_at(file: Path, after: float, *, processes: int, slow: float = 0.0) -> Killed:
    """Lets servers on one log answer for some seconds while it is read, kills them, and compares what they said with it.

    A queued answer that was lost is told by how many seconds before the kill it was acknowledged.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    words = [str(ACKNOWLEDGED_AT_RISK // processes), str(slow)]
    children = [
        subprocess.Popen([sys.executable, "-c", SERVER, str(file), f"p{n}", *words], stdout=subprocess.PIPE)
        for n in range(processes)
    ]
    for child in children:
        assert child.stdout.readline() == b"ready\n"
    told = _listen(children, file, until=time.monotonic() + after)
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    killed = time.monotonic()
    said = [text + child.communicate()[0] for text, child in zip(told, children, strict=True)]
    assert {child.returncode for child in children} == {-signal.SIGKILL}
    lines = [line.split() for text in said for line in text.decode().rpartition("\n")[0].splitlines()]
    kept = {answer.id for answer in SQLitePredictionLog(file).answers("flight_delay", WEEK)}
    lost = [(kind, killed - float(at)) for kind, at, name in lines if name not in kept]
    return Killed(
        len(lines), [age for kind, age in lost if kind == "queued"], sum(kind == "durable" for kind, _ in lost)
    )


def _listen(children: "list[subprocess.Popen[bytes]]", file: Path, *, until: float) -> list[bytes]:
    """What each child says until an instant, since a full pipe would stop it; a reader takes the log in meanwhile."""
    told, reader = [b"" for _ in children], SQLitePredictionLog(file)
    for child in children:
        os.set_blocking(child.stdout.fileno(), False)
    while time.monotonic() < until:
        told = [text + (child.stdout.read() or b"") for text, child in zip(told, children, strict=True)]
        reader.find("nobody's")
        time.sleep(0.005)
    for child in children:
        os.set_blocking(child.stdout.fileno(), True)
    return told


def check(found: Killed) -> None:
    assert found.acknowledged > 0
    assert found.lost_durable == 0
    assert len(found.lost_queued) <= ACKNOWLEDGED_AT_RISK


def test_a_killed_server_has_lost_little_and_nothing_durable(tmp_path):
    found = kill_at(tmp_path / "log" / "predictions.db", 0.4, processes=1)
    check(found)
    assert max(found.lost_queued, default=0.0) <= 1.0


def test_on_a_disk_that_stands_still_what_is_lost_was_acknowledged_within_one_second(tmp_path):
    found = kill_at(tmp_path / "log" / "predictions.db", 1.5, processes=2, slow=60.0)
    check(found)
    assert len(found.lost_queued) == found.acknowledged
    assert max(found.lost_queued) - min(found.lost_queued) <= 1.0


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("slow", [0.0, 0.2], ids=["quick disk", "slow disk"])
def test_two_servers_killed_at_a_hundred_instants_have_lost_little_and_nothing_durable(tmp_path, slow):
    draw = random.Random(7)
    for kill in range(100):
        found = kill_at(tmp_path / str(kill) / "predictions.db", draw.uniform(0.05, 1.2), processes=2, slow=slow)
        check(found)
        assert max(found.lost_queued, default=0.0) <= 1.0
