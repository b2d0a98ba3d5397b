"""A run with effects is killed with SIGKILL at many lines of its code, and resumed: nothing is done twice."""

import json
import subprocess
import sys

import pytest

KILLED_AND_RESUMED = """
import json, os, signal, sys, threading
from datetime import timedelta
from pathlib import Path

from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
from ops_pipelines.agentops.effects import DONE, UNKNOWN
from ops_pipelines.agentops.tool_function import tool_of
from ops_pipelines.testing.gates import NOON, ClockByHand, gate_of, parts_of

STEPS, LATER = 3, NOON + timedelta(minutes=2)

def stores(home):
    return {
        "journal": SQLiteEffectJournal(home / "effects.db"),
        "log": SQLiteDecisionLog(home / "decisions.db"),
        "approvals": SQLiteApprovalStore(home / "approvals.db"),
    }

def run(home, at):
    def note(step: int) -> str:
        # A real effect: it stays when its process dies, and happens in two writes with a line between them.
        with open(home / "world", "a", buffering=1) as world:
            world.write(f"{step}\\n")
        return "noted"

    gate = gate_of(parts_of(tool_of(note, effect="write"), now=ClockByHand(at), **stores(home)))
    for step in range(STEPS):
        gate.call("note", {"step": step}, call_id=f"step-{step}")

def counting(kill_at, told):
    seen, lock = [0], threading.Lock()

    def trace(frame, event, argument):
        if "ops_pipelines" not in frame.f_code.co_filename and frame.f_code.co_name != "note":
            return None
        if event == "line":
            with lock:
                seen[0] += 1
                if seen[0] == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    return seen

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def lines_of(home):
    home.mkdir()
    def work():
        seen = counting(0, None)
        run(home, NOON)
        sys.settrace(None)
        (home / "lines").write_text(str(seen[0]))
    assert forked(work) == 0
    return int((home / "lines").read_text())

def came_to(home, kill_at):
    home.mkdir()
    def killed():
        counting(kill_at, None)
        run(home, NOON)
    code = forked(killed)
    assert forked(lambda: run(home, LATER)) == 0
    world = (home / "world").read_text().split() if (home / "world").exists() else []
    states = {e.intent.key.rpartition("/")[2]: e.state(LATER) for e in stores(home)["journal"].entries()}
    wrong = []
    for step in range(STEPS):
        times, state = world.count(str(step)), states.get(f"step-{step}")
        if times > 1 or state not in (DONE, UNKNOWN) or (state == DONE and times != 1):
            wrong.append([kill_at, step, times, state])
    return code == -signal.SIGKILL, list(states.values()).count(UNKNOWN), wrong

home, points = Path(sys.argv[1]), int(sys.argv[2])
lines = lines_of(home / "whole")
at = sorted({1 + lines * number // points for number in range(points)})
found = [came_to(home / str(line), line) for line in at]
print(json.dumps({
    "points": len(at), "killed": sum(one[0] for one in found), "unknown": sum(one[1] for one in found),
    "most_unknown": max(one[1] for one in found), "wrong": [each for one in found for each in one[2]],
}))
"""


def killed_at(points: int, folder) -> dict:
    """What came of a run that was killed at so many points, once each."""
    words = [sys.executable, "-c", KILLED_AND_RESUMED, str(folder), str(points)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def judge(found: dict, points: int) -> None:
    assert found["wrong"] == []
    assert (found["points"], found["killed"] >= 0.9 * points) == (points, True)
    assert found["most_unknown"] == 1


def test_a_run_that_is_killed_here_and_there_repeats_nothing_and_what_nobody_knows_is_unknown(tmp_path):
    judge(killed_at(20, tmp_path), 20)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_run_that_is_killed_at_many_points_repeats_nothing_and_what_nobody_knows_is_unknown(tmp_path):
    found = killed_at(240, tmp_path)
    judge(found, 240)
    assert found["unknown"] > 5
