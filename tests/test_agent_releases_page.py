"""The page about an agent's release: its YAML is read by the component, and what it names is there."""

import re
from pathlib import Path

import pytest
import yaml

from ops_pipelines.components.agent import Agent
from ops_pipelines.components.house import furnish

PAGE = (Path(__file__).parents[1] / "docs" / "agent_releases.md").read_text()
(DECLARATION,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview


@pytest.fixture(scope="module")
def agent():
    read = yaml.safe_load(DECLARATION)
    assert read["type"] == "ops_pipelines.components.Agent"
    return Agent.resolve_from_yaml(yaml.safe_dump(read["attributes"]))


def test_every_asset_job_and_sensor_that_it_names_is_there(agent):
    defs = furnish(agent.build_defs(None))
    assets = {spec.key.to_user_string() for asset in defs.assets for spec in asset.specs}
    named = set(re.findall(r"`((?:NAME|agent_runs)/\w+)`", PAGE))
    named |= {f"agent_runs/{part}" for part in re.findall(r"`/(\w+)`", PAGE)} | {"approvals"}
    assert {name.replace("NAME", agent.name) for name in named} <= assets
    assert {"replay_run", "fork_run", "go_on"} <= {job.name for job in defs.jobs}


def test_its_numbers_become_the_rules_of_the_domain(agent):
    budgets = agent.budgets.budgets()
    assert (str(budgets.limit_usd), budgets.loops.steps, str(budgets.prices["refund"])) == ("0.5", 60, "0.01")
    assert (agent.evaluation.floor_rule().least, agent.evaluation.compare_rule().margin) == ({"success": 0.9}, 0.05)
    assert (agent.backtest.blocks, agent.replays.blocks, agent.days.rule().steps_p90) == (True, False, 40)
