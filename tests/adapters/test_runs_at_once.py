"""A run that many resume at the same instant, in threads and in processes: it goes on once, and its record is right."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops_pipelines.agentops.run_log import TOOL
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.testing.open_agents import Desk, agent_at, answer_all, platform_in


def test_of_fifty_who_resume_a_run_in_five_processes_one_does_and_the_others_write_nothing(tmp_path):
    words = [sys.executable, "-m", "ops_pipelines.testing.resumed_at_once", str(tmp_path), "5", "10"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["came"] == {"done": 1, "refused": 49}
    assert (len(found["world"]), found["told"]) == (1, [{"status": "done", "result": "paid A17"}])


@pytest.fixture
def clerk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paying = {"order": "A17", "amount_cents": 1200}
    return agent_at(platform_in(tmp_path), Desk(), lambda session: session.tool("pay", **paying).to_json()["status"])


def test_of_fifty_who_read_the_run_before_any_of_them_went_on_one_has_the_claim(clerk):
    ran = clerk.start({})
    answer_all(clerk)
    recording, conductor = clerk.recording(ran.run), clerk.conductor()

    def resume(number):
        try:
            return conductor.resume(recording, by=str(number)).state
        except NotAllowed:
            return "lost"

    with ThreadPoolExecutor(50) as pool:
        came = sorted(pool.map(resume, range(50)))
    assert came == ["done", *["lost"] * 49]
    steps = clerk.recording(ran.run).steps
    assert [step.decision for step in steps if step.kind == TOOL] == [""]
    assert clerk.replay(ran.run).identical
