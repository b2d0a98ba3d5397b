"""What a policy does to recorded runs of AgentDojo: every call goes through a gate, and a person says yes to the user's own.

An injection is let through where any of its effects is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from benchmarks.agentdojo_tools import tool_named
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.breaker import Breaker, LoopRule
from ops_pipelines.agentops.gate_parts import Run
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.agentops.tool_call import Denied, Done, Waiting
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.agentops.tool_registry import Tool, ToolRegistry
from ops_pipelines.testing.gates import parts_of

PLAIN = "unwrapped"
"""The wording that is the data set's own."""


@dataclass(slots=True)
class Scene:
    """The gate of one run, whose tools return what was recorded."""

    gate: Gate
    _result: str = ""
    _failed: bool = False
    asked: int = 0
    denied: list[str] = field(default_factory=list)

    def returns(self, _: Mapping[str, Any]) -> str:
        """What the tool of the call returned when it was recorded."""
        if self._failed:
            raise ValueError(self._result)
        return self._result

    def call(self, made: Mapping[str, Any], texts: Sequence[str], *, approved: bool) -> bool:
        """Whether the call was done; where the gate asks and `approved`, a person says yes."""
        self._result, self._failed = texts[made["result"]], made["failed"]
        answer = self.gate.call(made["tool"], made["arguments"])
        if isinstance(answer, Waiting) and approved:
            self.asked += 1
            store, at = self.gate.parts.approvals, self.gate.parts.now()
            store.answer(answer.approval, Answer("anna", granted=True, at=at))
            answer = self.gate.call(made["tool"], made["arguments"], approval=answer.approval)
        if isinstance(answer, Denied):
            self.denied.append(answer.reason)
        return isinstance(answer, Done)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a policy does to some suites. `stopped` counts injections by suite, and `effects` single effects."""

    tasks: int
    asked: tuple[str, ...]
    pairs: int
    through: tuple[str, ...]
    effects: int
    effects_through: int
    refused: tuple[str, ...]

    @property
    def stopped_share(self) -> float:
        return 1 - len(self.through) / self.pairs

    @property
    def asked_share(self) -> float:
        return len(self.asked) / self.tasks


def wordings_of(traces: Mapping[str, Any]) -> tuple[str, ...]:
    """The wordings in which each text was planted, in their order."""
    return tuple(dict.fromkeys(pair["wording"] for suite in traces["suites"].values() for pair in suite["pairs"]))


def judged(
    traces: Mapping[str, Any], suites: Sequence[str], policy: Policy, wording: str = PLAIN, *, of: str = "planted"
) -> Judged:
    """What a policy does to some suites, the texts planted in one wording; `of` is planted, or acted for written calls."""
    asked, through, refused = [], [], []
    tasks = pairs = effects = effects_through = 0
    for name in suites:
        suite = traces["suites"][name]
        tools = [tool_named(tool, schema) for tool, schema in suite["tools"].items()]
        for task, told in suite["tasks"].items():
            tasks += 1
            scene = scene_of(tools, policy, told["prompt"])
            for call in told["calls"]:
                scene.call(call, traces["texts"], approved=True)
            asked += [f"{name}/{task}"] if scene.asked else []
            refused += [f"{name}/{task}: {why}" for why in scene.denied]
        for pair in suite["pairs"]:
            if pair["wording"] != wording or not pair.get(of):
                continue
            pairs += 1
            scene = scene_of(tools, policy, suite["tasks"][pair["task"]]["prompt"])
            done = _planted(scene, pair["user"], pair[of], traces["texts"])
            effects, effects_through = effects + len(done), effects_through + sum(done)
            through += [f"{name}/{pair['task']}/{pair['injection']}"] if any(done) else []
    return Judged(tasks, tuple(asked), pairs, tuple(through), effects, effects_through, tuple(refused))


def _planted(
    scene: Scene, user: Sequence[Mapping[str, Any]], planted: Sequence[Mapping[str, Any]], texts: Sequence[str]
) -> list[bool]:
    """Whether each planted effect was done."""
    for call in user:
        scene.call(call, texts, approved=True)
    done = [(call["tool"], scene.call(call, texts, approved=False)) for call in planted]
    return [was_done for name, was_done in done if (tool := scene.gate.parts.registry.get(name)) and tool.has_effect]


def scene_of(tools: Sequence[Tool], policy: Policy, prompt: str) -> Scene:
    """A run that has heard what the user wants."""
    functions: dict[str, Any] = {}
    parts = parts_of(policy=policy, registry=ToolRegistry(tools), functions=functions)
    breaker, purse = Breaker(LoopRule(), parts.now()), Purse("run", Decimal(1))
    scene = Scene(Gate(parts, Run("run", "agent", "b" * 64), breaker=breaker, purse=purse))
    functions.update({tool.name: scene.returns for tool in tools})
    scene.gate.hear(prompt)
    return scene
