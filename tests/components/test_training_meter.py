import subprocess
import sys
import time
from types import SimpleNamespace

import dagster as dg
import pytest

from ops_pipelines.components.training_meter import ANSWERS, metered
from ops_pipelines.testing.release_store import NEW_YEAR
from ops_pipelines.testing.retraining_log import MemoryRetrainingLog

BURN = "import time\nwhile time.process_time() < 0.15: pass"


@pytest.fixture
def platform():
    return SimpleNamespace(retraining=MemoryRetrainingLog(), clock=SimpleNamespace(wall=lambda: NEW_YEAR))


def context(**tags: str):
    run = SimpleNamespace(run_id="run-1", tags=tags)
    return SimpleNamespace(run=run, asset_key=dg.AssetKey(["desk", "checkpoint"]))


def test_a_block_costs_its_own_seconds_and_those_of_its_children(platform):
    with metered(context(**{ANSWERS: "a"}), platform):
        assert [step.cpu_seconds for step in platform.retraining.steps("desk")] == [None]
        subprocess.run([sys.executable, "-S", "-c", BURN], check=True)
    begun, ended = platform.retraining.steps("desk")
    assert (begun.request, begun.run, begun.part, begun.cpu_seconds) == ("a", "run-1", "checkpoint", None)
    assert 0.1 < ended.cpu_seconds < 5
    assert ended.is_good


def test_a_block_that_raises_has_its_cost_written_and_is_not_good(platform):
    def fail():
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), metered(context(**{ANSWERS: "a"}), platform):
        fail()
    _, ended = platform.retraining.steps("desk")
    assert (ended.cpu_seconds >= 0.02, ended.is_good) == (True, False)


def test_a_run_that_answers_no_request_writes_nothing(platform):
    with metered(context(), platform):
        pass
    assert platform.retraining.steps("desk") == ()
