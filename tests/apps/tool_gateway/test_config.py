from datetime import timedelta
from decimal import Decimal

import pytest

from ops_pipelines.adapters.mcp_resources import DeclaredResource
from ops_pipelines.apps.tool_gateway.config import read_config
from ops_pipelines.core.errors import ConfigError

GOOD = """
agent: oncall
policy: policies
budget: {run_usd: 0.5}
breaker: {errors: 5, wall_seconds: 60, polls: [clock]}
limits: {tool_seconds: 2, approval_seconds: 300}
door: {at_once: 8, each_at_once: 2, unnamed: refused}
servers:
  desk:
    command: [python, desk.py]
    message_bytes: 5000
    connect_seconds: 3
    tools: {look: {effect: read, price_usd: 0.01}}
    resources: {runbook: {uri: "file:///runbook.md"}}
  far: {url: "http://127.0.0.1:1/mcp", headers: {Authorization: "Bearer ${DESK_TOKEN}"}, undeclared: destructive}
"""


def written(folder, text):
    (folder / "gateway.yaml").write_text(text)
    return folder / "gateway.yaml"


def test_a_gateway_is_what_its_file_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "a word")
    config = read_config(written(tmp_path, GOOD))
    desk, far = config.servers
    assert (config.agent, config.policy, config.run_usd) == ("oncall", tmp_path / "policies", Decimal("0.5"))
    assert (config.loops.errors, config.loops.wall, config.loops.polls) == (5, timedelta(minutes=1), ("clock",))
    assert (config.limits.tool_seconds, config.limits.approval) == (2, timedelta(minutes=5))
    assert (desk.address.command, desk.address.folder) == (("python", "desk.py"), tmp_path)
    assert desk.offer.declared["look"].price_usd == Decimal("0.01")
    assert (config.door.at_once, config.door.each_at_once, config.door.unnamed) == (8, 2, "refused")
    assert (desk.address.message_bytes, desk.offer.connect_seconds) == (5000, 3)
    assert desk.offer.resources == {"runbook": DeclaredResource("file:///runbook.md")}
    assert far.address.headers == {"Authorization": "Bearer a word"}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("agent: oncall", "agnt: oncall", "Did you mean 'agent'"),
        ("agent: oncall", "", "it names no agent"),
        ("errors: 5", "eror: 5", "Did you mean 'errors'"),
        ("errors: 5", "errors: 0", "at least 1"),
        ("run_usd: 0.5", "run_usd: much", "cannot be used"),
        ("effect: read", "effekt: read", "says no effect"),
        ("undeclared: destructive", "undeclared: welcome", "undeclared is 'welcome'"),
        ("url: ", "command: [x], url: ", "neither a command nor a url"),
        ("servers:", "servers: [", "cannot be used"),
        ("at_once: 8", "at_onse: 8", "Did you mean 'at_once'"),
        ("at_once: 8", "at_once: 0", "at least 1"),
        ("unnamed: refused", "unnamed: welcome", "unnamed under `door` is welcome"),
        ("message_bytes: 5000", "message_bytes: 5", "at least 1000 bytes"),
        ("connect_seconds: 3", "connect_seconds: 0", "more than 0 seconds"),
        ("uri: ", "url: ", "says no uri"),
    ],
)
def test_what_a_file_says_in_another_way_is_refused(tmp_path, monkeypatch, old, new, why):
    monkeypatch.setenv("DESK_TOKEN", "a word")
    with pytest.raises(ConfigError, match=why):
        read_config(written(tmp_path, GOOD.replace(old, new, 1)))


def test_a_secret_that_is_not_in_the_environment_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("DESK_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="DESK_TOKEN, which is not set"):
        read_config(written(tmp_path, GOOD))
