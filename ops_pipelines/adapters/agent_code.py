"""Whether an agent that was released can act here: what its code is, and whether that is what is installed."""

from collections.abc import Callable

from ops_pipelines.adapters.source_code import files_of
from ops_pipelines.agentops.agent import Agent, is_agent, read_agent
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Blocked, Passed, Verdict


def code_of(program: str, toolset: str) -> dict[str, str]:
    """The source that an agent's program and tools are, by file."""
    places = {path.partition(":")[0].rpartition(".")[0]: path for path in (program, toolset)}
    return {f"{place}/{name}": text for place, path in sorted(places.items()) for name, text in files_of(path).items()}


def judge_agent(read: Callable[[str], bytes], release: Release) -> Verdict:
    """Passed where an agent's code is installed here as it was released, and its policy can be used; or for no agent."""
    if not is_agent(release.manifest):
        return Passed()
    try:
        problem = differs_here(read_agent(release.manifest, read))
    except ConfigError as error:
        problem = error.wrong
    return Blocked((problem,)) if problem else Passed()


def differs_here(agent: Agent) -> str:
    """How the code that is installed differs from what was released; empty where it does not."""
    here = code_of(agent.program, agent.toolset)
    names = sorted(name for name in {*here, *agent.code} if here.get(name) != agent.code.get(name))
    return f"its code is another here ({', '.join(names)})" if names else ""
