"""A process that takes answers is killed at random instants: what was lost is little, and nothing durable."""

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

def say(kind, batch, offered):
    told = time.monotonic()
    os.write(1, "".join(f"{kind} {offered} {told} {each}\\n" for each in batch.ids).encode())

async def answer():
    writer = LogWriter(Disk(path), most_pending=most)
    writer.start()
    os.write(1, b"ready\\n")
    for number in range(10**9):
        batch = Batch([f"{name}-{number}-{row}" for row in range(1 + number % 3)])
        offered = time.monotonic()
        if number % 50 == 49:
            await writer.durably(batch)
            say("durable", batch, offered)
        elif writer.offer(batch):
            say("queued", batch, offered)
        else:
            await writer.room(len(batch), 1.0)
        if number % 5 == 4:
            await asyncio.sleep(0.001)

asyncio.run(answer())
"""


@dataclass(frozen=True)
class Killed:
    """What was acknowledged before a kill, by its way, and what of it is not in the log.

    Of a queued answer that was lost there are its process and the instants between which it was taken.
    """

    acknowledged: int
    lost_queued: list[tuple[str, float, float]]
    lost_durable: int


def kill_at(file: Path, after: float, *, processes: int, slow: float = 0.0) -> Killed:
    """Lets servers on one log answer for some seconds while it is read, kills them, and compares what they said with it."""
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
    said = [text + child.communicate()[0] for text, child in zip(told, children, strict=True)]
    assert {child.returncode for child in children} == {-signal.SIGKILL}
    lines = [line.split() for text in said for line in text.decode().rpartition("\n")[0].splitlines()]
    kept = {answer.id for answer in SQLitePredictionLog(file).answers("flight_delay", WEEK)}
    lost = [(kind, name, float(offered), float(told)) for kind, offered, told, name in lines if name not in kept]
    queued = [(name.partition("-")[0], offered, told) for kind, name, offered, told in lost if kind == "queued"]
    return Killed(len(lines), queued, len(lost) - len(queued))


def _listen(children: "list[subprocess.Popen[bytes]]", file: Path, *, until: float) -> list[bytes]:
    """What each child says until an instant, or its first words if they come later; a reader takes the log in meanwhile.

    A pipe that nobody reads would fill up and stop its child.
    """
    told, reader = [b"" for _ in children], SQLitePredictionLog(file)
    for child in children:
        os.set_blocking(child.stdout.fileno(), False)
    while time.monotonic() < until or not all(told):
        told = [text + (child.stdout.read() or b"") for text, child in zip(told, children, strict=True)]
        reader.find("nobody's")
        time.sleep(0.005)
    for child in children:
        os.set_blocking(child.stdout.fileno(), True)
    return told


def check(found: Killed) -> None:
    """That few were lost and none durable, and that each process took what it lost within one second.

    A machine that stands still changes nothing: an answer was taken after it was offered, and before that was told.
    """
    assert found.acknowledged > 0
    assert found.lost_durable == 0
    assert len(found.lost_queued) <= ACKNOWLEDGED_AT_RISK
    for process in {process for process, _, _ in found.lost_queued}:
        its = [(offered, told) for name, offered, told in found.lost_queued if name == process]
        assert max(offered for offered, _ in its) - min(told for _, told in its) <= 1.0


def test_a_killed_server_has_lost_little_and_nothing_durable(tmp_path):
    check(kill_at(tmp_path / "log" / "predictions.db", 0.4, processes=1))


def test_on_a_disk_that_stands_still_what_is_lost_was_acknowledged_within_one_second(tmp_path):
    found = kill_at(tmp_path / "log" / "predictions.db", 1.5, processes=2, slow=60.0)
    check(found)
    assert len(found.lost_queued) == found.acknowledged


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("slow", [0.0, 0.2], ids=["quick disk", "slow disk"])
def test_two_servers_killed_at_a_hundred_instants_have_lost_little_and_nothing_durable(tmp_path, slow):
    draw = random.Random(7)
    for kill in range(100):
        check(kill_at(tmp_path / str(kill) / "predictions.db", draw.uniform(0.05, 1.2), processes=2, slow=slow))
