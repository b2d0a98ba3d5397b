import subprocess
import sys

import pytest

from ops_pipelines.adapters.run_lock import AlreadyRunning, run_held

FORKS = """
import os, signal, sys
from pathlib import Path
from ops_pipelines.adapters.run_lock import run_held

with run_held(Path(sys.argv[1]), "r"):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.write(tell, b"begun")
        signal.alarm(20)
        signal.pause()
    os.read(told, 5)
    Path(sys.argv[1], "child").write_text(str(child))
    os.kill(os.getpid(), signal.SIGKILL)
"""
UNWINDS = """
import os, sys
from pathlib import Path
from ops_pipelines.adapters.run_lock import AlreadyRunning, run_held

def held():
    with run_held(Path(sys.argv[1]), "r"):
        if not os.fork():
            return
        os.wait()
        try:
            with run_held(Path(sys.argv[1]), "r"):
                sys.exit("it was let go of")
        except AlreadyRunning:
            pass

held()
"""


def test_a_run_is_held_by_one(tmp_path):
    with run_held(tmp_path, "r"), pytest.raises(AlreadyRunning), run_held(tmp_path, "r"):
        pass
    with run_held(tmp_path, "r"):
        pass


def test_a_child_of_a_process_that_was_killed_does_not_hold_its_run(tmp_path):
    subprocess.run([sys.executable, "-c", FORKS, str(tmp_path)], check=False)
    try:
        with run_held(tmp_path, "r"):
            pass
    finally:
        subprocess.run(["kill", (tmp_path / "child").read_text()], check=False)


def test_a_child_that_ends_does_not_let_go_of_its_parents_run(tmp_path):
    subprocess.run([sys.executable, "-c", UNWINDS, str(tmp_path)], check=True)
