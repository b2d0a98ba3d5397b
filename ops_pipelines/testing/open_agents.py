"""An agent of any program and tools on a platform of its own, ready to act without a release: for tests of whole runs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from ops_pipelines.adapters.agents import OpenAgent
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.agent import Agent, Budgets
from ops_pipelines.agentops.approval import PENDING, Answer
from ops_pipelines.agentops.claims import AMOUNT_CENTS, IDENTIFIER
from ops_pipelines.agentops.gated import tools_of
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.session import Session
from ops_pipelines.agentops.tool_function import ToolFunction, tool_of

POLICY = """
@id("reads and writes") permit(principal, action, resource) when { ["read", "write"].contains(resource.effect) };
@id("money is approved")
permit(principal, action, resource) when { resource.effect == "money" && context.approved };
"""
"""Looking and noting are free, money wants a person's yes."""


@dataclass
class Desk:
    """What the tools of a desk have done: `done` holds each effect, `looked` each read. `hangs` holds effects up."""

    done: list[Any] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    hangs: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.hangs.set()

    def tools(self) -> list[ToolFunction]:
        """A page that strangers wrote, an order, a note, and a payment."""

        def page(name: str) -> Any:
            """What a page says."""
            self.looked.append(name)
            return self.shown.get(name, f"the page {name}")

        def order(id: Annotated[str, IDENTIFIER]) -> Any:
            """What was ordered."""
            self.looked.append(id)
            return self.shown.get(id, {"id": id, "amount_cents": 1200})

        def note(text: str) -> str:
            """Write something down."""
            self.hangs.wait(20)
            self.done.append(text)
            return f"noted {text}"

        def pay(order: Annotated[str, IDENTIFIER], amount_cents: Annotated[int, AMOUNT_CENTS]) -> str:
            """Pay an order back."""
            self.hangs.wait(20)
            self.done.append((order, amount_cents))
            return f"paid {order}"

        return [
            tool_of(page, effect="read"),
            tool_of(order, effect="read", trusted=True),
            tool_of(note, effect="write"),
            tool_of(pay, effect="money"),
        ]


def platform_in(folder: Path) -> Platform:
    """The platform of a project in a folder, which is made one where it is none."""
    for name, text in (("requirements.lock", "nothing==1\n"), ("pyproject.toml", "[tool.ops]\n")):
        if not (folder / name).exists():
            (folder / name).write_text(text)
    find_project.cache_clear()
    return Platform.embedded(find_project(folder))


def agent_at(
    platform: Platform,
    desk: Desk,
    program: Callable[[Session], Any],
    *,
    policy: str = POLICY,
    budgets: Budgets | None = None,
    tenant: str = "",
) -> OpenAgent:
    """The agent `clerk` of a desk's tools and a program."""
    registry, functions = tools_of(desk.tools())
    parts = {"policy": Policy({"desk.cedar": policy}), "tools": registry, "budgets": budgets or Budgets()}
    agent = Agent("here:program", "here:tools", tenant=tenant, **parts)
    return OpenAgent(platform, agent.manifest("clerk"), agent, functions, program)


def of_program(agent: OpenAgent, program: Callable[[Session], Any]) -> OpenAgent:
    """The same agent with another program."""
    return replace(agent, program=program)


def answer_all(agent: OpenAgent, *, granted: bool = True, by: str = "ben") -> int:
    """Say the same to everything that waits; how much that was."""
    approvals, now = agent.platform.approvals, agent.platform.clock.wall()
    waiting = [held.request.id for held in approvals.held() if held.state(now) == PENDING]
    for one in waiting:
        approvals.answer(one, Answer(by, granted, now))
    return len(waiting)
