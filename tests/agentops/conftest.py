"""A gate over tools that say what they have done."""

import pytest

from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.testing.gates import gate_of, parts_of

from .gate_world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def parts(world):
    return parts_of(*world.tools())


@pytest.fixture
def gate(parts) -> Gate:
    made = gate_of(parts)
    made.hear("Refund 12 dollars to bob@acme.example")
    return made
