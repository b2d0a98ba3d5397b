"""What a server is asked for, and how its worker processes learn of it."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.apps.model_server.settings import ACKNOWLEDGED_AT_RISK, VARIABLE, Settings
from ops_pipelines.core.errors import ConfigError

TOLD = "from ops_pipelines.apps.model_server.settings import Settings; print(Settings.from_environment())"


def test_a_worker_process_reads_what_its_parent_was_asked_for():
    asked = Settings(systems=("a", "b"), environment="staging", workers=3, hosts=("models.example",), tokens=True)
    told = {**os.environ, VARIABLE: asked.to_environment()}
    done = subprocess.run([sys.executable, "-c", TOLD], env=told, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(asked)


@pytest.mark.parametrize(
    "wrong",
    [{"workers": 0}, {"workers": 65}, {"port": -1}, {"port": 65_536}, {"look_seconds": 0.0}, {"look_seconds": 0.26}],
)
def test_what_no_server_could_keep_to_is_refused(wrong):
    with pytest.raises(ConfigError, match="1 to 64 workers"):
        Settings(**wrong)


@given(st.integers(1, 64))
def test_all_workers_together_never_hold_more_than_may_be_lost(workers):
    settings = Settings(workers=workers)
    assert 1 <= settings.most_pending * workers <= ACKNOWLEDGED_AT_RISK


def test_hosts_that_were_named_are_answered_beside_loopback():
    assert set(Settings(hosts=("models.example",)).allowed_hosts) == {
        "127.0.0.1",
        "localhost",
        "::1",
        "[::1]",
        "models.example",
    }
