"""A recorded run held against code that was edited since."""

import sys

import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.installed_agent import replayed_by_what_is_installed
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.testing.refund_agent import paid, refund_agent, released

PROGRAM = """
def program(session):
    found = session.tool("order", id=session.task["order"])
    return {"found": found.result["amount_cents"]}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "held_shop").mkdir()
    (tmp_path / "held_shop" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("held_shop", "held_shop.acting"):
        sys.modules.pop(name, None)


def write(folder, text):
    (folder / "held_shop" / "acting.py").write_text(text)
    sys.modules.pop("held_shop.acting", None)


@pytest.fixture
def platform(folder):
    lock = folder / "requirements.lock"
    lock.touch()
    return Platform.embedded(Project(folder, folder / "home", folder / "features", folder / "evals", lock))


def test_an_edit_is_held_against_the_run_that_it_would_have_altered(folder, platform, monkeypatch):
    write(folder, PROGRAM)
    released(platform, refund_agent(program="held_shop.acting:program"))
    agent = live_agent(platform, "refunds")
    recording = agent.recording(agent.start({"order": "A17"}).run)
    assert replayed_by_what_is_installed(platform, recording).same
    write(folder, PROGRAM.replace('["order"])', '["order"].lower())  # edited'))
    with pytest.raises(ConfigError, match="its code is another here"):
        live_agent(platform, "refunds")
    found = replayed_by_what_is_installed(platform, recording)
    assert (found.same, found.divergence.at, found.divergence.cause) == (False, 1, "code")
    assert paid(folder / "home") == []
