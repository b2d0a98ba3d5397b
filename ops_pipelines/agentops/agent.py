"""Everything that decides what an agent does, as one value: the behaviour of its release.

Program, code, settings, tools, policy and budgets are each a part with a digest of its own. The same parts make the same
release, and two releases differ by the names of the parts that differ. What it uses is pinned to a digest; what it operates
is called by name, and acted upon as it is then.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.tool_registry import Tool, ToolRegistry
from ops_pipelines.core.composite import compose
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.core.release import Manifest

AGENT, CODE, TOOLS, POLICY, BUDGETS = "agent", "code", "tools", "policy", "budgets"
REQUIRED = frozenset({AGENT, CODE, TOOLS, POLICY, BUDGETS})
"""The parts that every agent has."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """How far one run of an agent may go: its dollars, its loops, its time, and what one call of a tool can cost.

    `prices` are the most dollars by tool, or by model as `model:NAME`; what is not named costs nothing.
    """

    limit_usd: Decimal = Decimal(1)
    loops: LoopRule = field(default_factory=LoopRule)
    limits: Limits = field(default_factory=Limits)
    prices: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        said = {"limit_usd": self.limit_usd, **self.prices}
        wrong = {name: usd for name, usd in said.items() if not usd.is_finite() or usd < 0}
        for name, usd in wrong.items():
            raise ConfigError(
                f"The agent's budget says ${usd} for {name}",
                expected="dollars from 0",
                action="Correct the agent's budgets",
            )

    def to_json(self) -> dict[str, Any]:
        """The budgets as plain JSON, read back by `from_json`."""
        limits = {name: getattr(self.limits, name) for name in ("tool_seconds", "result_bytes", "argument_bytes")}
        return {
            "limit_usd": f"{self.limit_usd:f}",
            "breaker": self.loops.to_json(),
            "limits": {**limits, "approval_seconds": self.limits.approval.total_seconds()},
            "prices": {name: f"{usd:f}" for name, usd in sorted(self.prices.items())},
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Budgets":
        """The budgets that `to_json` wrote."""
        loops, limits = dict(record["breaker"]), dict(record["limits"])
        wall, approval = timedelta(seconds=loops.pop("wall_seconds")), timedelta(seconds=limits.pop("approval_seconds"))
        return cls(
            Decimal(record["limit_usd"]),
            LoopRule(**{**loops, "wall": wall, "polls": tuple(loops["polls"])}),
            Limits(**limits, approval=approval),
            {name: Decimal(usd) for name, usd in record["prices"].items()},
        )


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent. `program` is what it does, `toolset` what makes its tools, each as `module:function`.

    `code` is the source of both by file, so that an edit of it is another release, and `tools` what the toolset makes: both
    are found by `adapters.agents.equipped`. `settings` are what the program is given: thresholds, prompts, the model that it
    asks. `tenant` is on whose behalf it works.
    """

    program: str
    toolset: str
    policy: Policy
    code: Mapping[str, str] = field(default_factory=dict)
    tools: ToolRegistry = field(default_factory=ToolRegistry)
    settings: Mapping[str, Any] = field(default_factory=dict)
    budgets: Budgets = field(default_factory=Budgets)
    tenant: str = ""
    uses: Mapping[str, str] = field(default_factory=dict)
    operates: Sequence[str] = ()

    def contents(self) -> dict[str, bytes]:
        """The bytes of each part by name."""
        parts: dict[str, Any] = {
            AGENT: {
                "program": self.program,
                "toolset": self.toolset,
                "settings": dict(self.settings),
                "tenant": self.tenant,
            },
            CODE: dict(self.code),
            TOOLS: [tool.to_json() for tool in sorted(self.tools, key=lambda tool: tool.name)],
            POLICY: self.policy.to_json(),
            BUDGETS: self.budgets.to_json(),
        }
        return {name: canonical_json(content) for name, content in parts.items()}

    def manifest(self, system: str) -> Manifest:
        """What a release of this agent is; ReleaseError where it would use or operate itself."""
        behaviour = {name: digest_bytes(content) for name, content in self.contents().items()}
        return compose(system, behaviour, uses=self.uses, operates=self.operates)


def is_agent(manifest: Manifest) -> bool:
    """Whether a manifest is of an agent."""
    return manifest.behaviour.keys() >= REQUIRED


def read_agent(manifest: Manifest, read: Callable[[str], bytes]) -> Agent:
    """The agent of a manifest, whose parts `read` finds by digest; what it raises goes on.

    ConfigError for a manifest of something else, or a part that this version cannot use.
    """
    if not is_agent(manifest):
        raise ConfigError(
            f"{manifest.system!r} is no agent: its release has no {', '.join(sorted(REQUIRED - manifest.behaviour.keys()))}",
            expected="a system with an Agent component",
            action="`ops releases` names what each system is made of",
            system=manifest.system,
        )
    parts = {name: json.loads(read(manifest.behaviour[name])) for name in REQUIRED}
    return Agent(
        **{name: parts[AGENT][name] for name in ("program", "toolset", "settings", "tenant")},
        code=parts[CODE],
        tools=ToolRegistry(Tool(**tool) for tool in parts[TOOLS]),
        policy=Policy.from_json(parts[POLICY]),
        budgets=Budgets.from_json(parts[BUDGETS]),
        uses=dict(manifest.uses),
        operates=manifest.operates,
    )
