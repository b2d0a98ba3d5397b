"""Whether the parts of an agent speak of the same tools: what its policy and its budgets name has to be there."""

import re
from collections.abc import Iterator

from ops_pipelines.agentops.agent import Agent
from ops_pipelines.core.errors import near_miss
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

_NAMED = re.compile(r'\bTool::"((?:[^"\\]|\\.)*)"')
_COMMENT = re.compile(r"//[^\n]*")
_OF_MODEL = "model:"


def judge_parts(agent: Agent) -> Verdict:
    """Passed where every tool that a policy, a price or a poll names is one of the agent's, and it has some."""
    tools = sorted(tool.name for tool in agent.tools)
    if not tools:
        return Blocked((f"its toolset {agent.toolset} makes no tool",))
    lost = [
        f"{who} names the tool {name!r}. {near_miss(name, tools)}" for who, name in _names(agent) if name not in tools
    ]
    return Blocked(tuple(lost)) if lost else Passed({"tools": tools})


def _names(agent: Agent) -> Iterator[tuple[str, str]]:
    """Each tool that is named, with who names it."""
    for file, text in sorted(agent.policy.texts.items()):
        yield from ((f"the policy {file}", name) for name in _NAMED.findall(_COMMENT.sub("", text)))
    priced = (name for name in agent.budgets.prices if not name.startswith(_OF_MODEL))
    yield from (("a price", name) for name in sorted(priced))
    yield from (("a poll of the breaker", name) for name in agent.budgets.loops.polls)
