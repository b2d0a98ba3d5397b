"""What a change reaches among agents: the edges that this room adds to the walk of `core.reach`.

file of its program, tools or policy ─► agent        tool ─► live release of each agent that has it
system that it uses or operates ─► agent
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ops_pipelines.agentops.agent import Agent
from ops_pipelines.core.reach import Edge
from ops_pipelines.core.walk import Thing
from ops_pipelines.mlops.impact import SYSTEM

COMPONENT, TOOL = "Agent", "tool"


def edges_of_agent(release: Thing, agent: Agent) -> Iterator[Edge]:
    """What a live agent stands on besides the systems that it uses and operates: each of its tools, by name."""
    yield from (((TOOL, tool.name), release) for tool in agent.tools)


def edges_of_declared_agent(name: str, attributes: Mapping[str, Any]) -> Iterator[Edge]:
    """What one component's YAML says that an agent is made of."""
    for part in ("uses", "operates"):
        yield from (((SYSTEM, str(system)), (SYSTEM, name)) for system in attributes.get(part) or ())
