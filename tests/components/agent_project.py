"""A small project with the agent that refunds orders, its policy and its tasks, as tests of agents need it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.run_state import Ran
from ops_pipelines.components.agent import Agent
from ops_pipelines.components.agent_backtest import make_backtest
from ops_pipelines.components.agent_candidate import make_candidate
from ops_pipelines.components.agent_evaluation import make_evaluation
from ops_pipelines.components.agent_gate import make_comparison
from ops_pipelines.components.agent_replays import make_replays
from ops_pipelines.components.going_live import make_live
from ops_pipelines.components.house import furnish
from ops_pipelines.components.publishing import Product
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.verdict import Passed, verdict_to_json
from ops_pipelines.testing.refund_agent import HERE, POLICY, refund_agent, released

TASKS = """\
tasks:
  - id: refund
    task: {order: A17}
    world:
      - {tool: order, answers: [{result: {id: A17, amount_cents: 1200}}]}
      - {tool: refund, answers: [{result: done}]}
      - {tool: note, answers: [{result: done}]}
    person: approve
    expected:
      outcome: {paid: 1200}
      calls: [{tool: order}, {tool: refund, arguments: {order: A17, amount_cents: 1200}}, {tool: note}]
      before: [[order, refund]]
"""
SETTINGS = {"name": "refunds", "program": f"{HERE}:program", "toolset": f"{HERE}:tools"}
GATE = ("candidate", "evaluation", "backtest", "replays", "comparison", "release")


@dataclass(frozen=True, slots=True)
class Desk:
    """The project with its platform; the agent is called `refunds`."""

    root: Path
    platform: Platform

    @classmethod
    def at(cls, root: Path) -> "Desk":
        """The project, written into a folder that is the working directory."""
        (root / "pyproject.toml").write_text("[tool.ops]\n")
        (root / "requirements.lock").write_text("nothing==1\n")
        (root / "evals/agents/refunds/policy").mkdir(parents=True)
        find_project.cache_clear()
        desk = cls(root, Platform.embedded(find_project(root)))
        desk.policy(POLICY)
        desk.tasks(TASKS)
        return desk

    def policy(self, text: str) -> None:
        (self.root / "evals/agents/refunds/policy/refunds.cedar").write_text(text)

    def tasks(self, text: str) -> None:
        (self.root / "evals/agents/refunds/tasks.yaml").write_text(text)

    def agent(self, **settings) -> Agent:
        return Agent.resolve_from_yaml(yaml.safe_dump({**SETTINGS, **settings}))

    def defs(self, **settings) -> dg.Definitions:
        return furnish(self.agent(**settings).build_defs(None), self.platform)

    def made(self, *parts: str, day: str | None = None, **settings) -> dg.ExecuteInProcessResult:
        """Some of its assets materialized, in their order: all up to the release where none is named."""
        wanted = parts or tuple(f"refunds/{part}" for part in GATE)
        return dg.materialize(
            self.defs(**settings).assets,
            resources={"platform": self.platform},
            selection=list(wanted),
            partition_key=day,
            raise_on_error=False,
        )

    def walked(self, *, upto: str = "release", **settings) -> dict[str, Product]:
        """What its assets would make one after the other, up to the first that is refused, without a run of Dagster."""
        agent, made = self.agent(**settings), {}
        for part in GATE[: GATE.index(upto) + 1]:
            made[part] = product = _made(part, agent, self.platform)
            self.keep(f"refunds/{part}", product)
            if not isinstance(product.verdict, Passed):
                break
        return made

    def released(self) -> "Desk":
        """The project with the agent live, without any of its assets."""
        released(self.platform, refund_agent())
        return self

    def live(self) -> str | None:
        return self.platform.live(PRODUCTION, "refunds")

    def ran(self, order: str = "A17", *, granted: bool | None = True) -> Ran:
        """A run of the live release; somebody says yes or no to what it asks for, or None nothing."""
        agent = live_agent(self.platform, "refunds")
        ran = agent.start({"order": order})
        if granted is None:
            return ran
        return self.answer(ran, granted=granted)

    def answer(self, ran: Ran, *, granted: bool = True) -> Ran:
        """A run that waited, once somebody has said yes or no."""
        answer = Answer("ben", granted, self.platform.clock.wall())
        self.platform.approvals.answer(ran.waits["approval"], answer)
        return live_agent(self.platform, "refunds").resume(ran.run)

    def keep(self, key: str, product: Product, partition: str = "-", table: Any = None) -> None:
        """Publish what an asset made, as its run would."""
        found = {"findings": {name: verdict_to_json(verdict) for name, verdict in product.findings.items()}}
        origin, facts = self.platform.origin("r", "code"), {**product.facts, **found}
        made = Artefact(key, partition, product.digest, product.verdict, product.inputs, origin, facts)
        self.platform.lake.publish(product.table if table is None else table, made)

    def later(self, clock) -> "Desk":
        """The project under another clock."""
        return replace(self, platform=replace(self.platform, clock=clock))


def _made(part: str, agent: Agent, platform: Platform) -> Product:
    if part == "release":
        return make_live(
            "refunds", platform, platform.lake.latest("refunds/comparison"), "refunds/comparison", actor="r"
        )
    make = {"evaluation": make_evaluation, "backtest": make_backtest, "replays": make_replays}.get(part)
    if make:
        return make(agent, platform)
    return {"candidate": make_candidate, "comparison": make_comparison}[part](agent, platform, run_id="r")


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, str | None]:
    """What each check that failed said."""
    return {found.check_name: found.description for found in result.get_asset_check_evaluations() if not found.passed}
