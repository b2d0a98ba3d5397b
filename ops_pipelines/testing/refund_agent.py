"""A small agent with everything that the real ones have: it looks, asks for a person's yes, and does one thing.

`program` refunds an order and tells the customer; what was done is written to a file, so that any process can count it.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any

from ops_pipelines.adapters.agents import equipped
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.workbench import Workbench
from ops_pipelines.agentops.agent import Agent
from ops_pipelines.agentops.claims import AMOUNT_CENTS, IDENTIFIER
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.session import Session
from ops_pipelines.agentops.tool_call import Denied
from ops_pipelines.agentops.tool_function import ToolFunction, tool_of
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.release import Evidence, Manifest
from ops_pipelines.core.verdict import Passed

HERE = "ops_pipelines.testing.refund_agent"
POLICY = """
@id("reads and notes") permit(principal, action, resource) when { ["read", "write"].contains(resource.effect) };
@id("money is approved")
permit(principal, action, resource) when { resource.effect == "money" && context.approved };
@id("ids and amounts are traced") forbid(principal, action, resource)
when { context.unseen.containsAny(["id", "amount_cents"]) };
"""


def tools(bench: Workbench) -> list[ToolFunction]:
    """Looking at an order, paying it back, and a note to the customer."""
    ledger = bench.platform.project.home / "paid.jsonl"

    def order(id: Annotated[str, IDENTIFIER]) -> dict[str, Any]:
        """What was ordered."""
        return {"id": id, "amount_cents": 1200}

    def refund(order: Annotated[str, IDENTIFIER], amount_cents: Annotated[int, AMOUNT_CENTS]) -> str:
        """Pay an order back."""
        return _written(ledger, {"refund": order, "amount_cents": amount_cents})

    def note(order: Annotated[str, IDENTIFIER], text: str) -> str:
        """Tell the customer."""
        return _written(ledger, {"note": order, "text": text})

    return [
        tool_of(order, effect="read", trusted=True),
        tool_of(refund, effect="money"),
        tool_of(note, effect="write"),
    ]


def program(session: Session) -> dict[str, Any]:
    """Refunds the order of the task, and says so to the customer."""
    found = session.tool("order", id=session.task["order"])
    if isinstance(found, Denied):
        return {"refused": found.reason}
    paid = session.tool("refund", order=found.result["id"], amount_cents=found.result["amount_cents"])
    if isinstance(paid, Denied):
        return {"refused": paid.reason}
    session.tool("note", order=found.result["id"], text=f"{session.settings.get('words', 'Paid back')}: {paid.result}")
    return {"paid": found.result["amount_cents"]}


def handing_on(session: Session) -> dict[str, Any]:
    """The same done by another agent, to which the task is handed."""
    return {"desk": program(session.inside("desk", session.task))}


def refund_agent(*, policy: str = POLICY, **others: Any) -> Agent:
    """The agent, with other parts where some are given."""
    made: dict[str, Any] = {
        "program": f"{HERE}:program",
        "toolset": f"{HERE}:tools",
        "policy": Policy({"refunds.cedar": policy}),
    }
    return Agent(**{**made, **others})


def released(platform: Platform, agent: Agent, system: str = "refunds") -> Manifest:
    """The agent as the live release of a platform."""
    manifest = kept(platform, agent, system)
    platform.promote(system, manifest.digest, actor="anna", reason="a test")
    return manifest


def kept(platform: Platform, agent: Agent, system: str = "refunds") -> Manifest:
    """The agent as a release of a platform that is not live."""
    agent = equipped(platform, system, agent)
    manifest = agent.manifest(system)
    for content in (*agent.contents().values(), canonical_json(manifest.to_json())):
        platform.objects.put(content)
    platform.releases.save(manifest, Evidence(Passed(), platform.live("production", system), platform.clock.as_of()))
    return manifest


def paid(home: Path) -> list[dict[str, Any]]:
    """What was really done under a home."""
    ledger = home / "paid.jsonl"
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


def _written(ledger: Path, what: dict[str, Any]) -> str:
    with os.fdopen(os.open(ledger, os.O_CREAT | os.O_APPEND | os.O_WRONLY), "a") as file:
        file.write(json.dumps(what) + "\n")
    return "done"
