"""How people name a policy: a folder of files, or an agent, by the files that its YAML names or by its release."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.agent import Agent
    from ops_pipelines.agentops.freeze import Freeze
    from ops_pipelines.agentops.tool_registry import Tool


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """The texts of a policy, which need not be one, with its freezes, and the tools of the agent whose it is, if any."""

    name: str
    texts: "Mapping[str, str]"
    freezes: "Sequence[Freeze]"
    tools: "Sequence[Tool]" = ()


def policy_named(platform: "Platform", name: str) -> NamedPolicy:
    """The policy in a folder, or that of an agent as its files are now; of one without files, as it was released.

    ConfigError where there is neither.
    """
    from ops_pipelines.adapters.policy_files import freezes_in, texts_in

    if Path(name).is_dir():
        return NamedPolicy(name, texts_in(Path(name)), freezes_in(Path(name)))
    if folder := _folder_of(platform, name):
        return NamedPolicy(name, texts_in(folder), freezes_in(folder), tools_named(platform, name))
    agent = agent_named(platform, name)
    return NamedPolicy(name, agent.policy.texts, agent.policy.freezes, tuple(agent.tools))


def tools_named(platform: "Platform", name: str) -> "Sequence[Tool]":
    """The tools that an agent has here as its YAML declares it, or as it was released; ConfigError for neither."""
    from ops_pipelines.adapters.agents import toolset_of
    from ops_pipelines.adapters.workbench import Workbench
    from ops_pipelines.agentops.gated import tools_of
    from ops_pipelines.core.release import Manifest

    declared = _declared(platform).get(name)
    if declared is None:
        return tuple(agent_named(platform, name).tools)
    bench = Workbench(platform, Manifest(name, {}, operates=tuple(declared.get("operates") or ())))
    return tuple(tools_of(toolset_of(str(declared["toolset"]), bench))[0])


def agent_named(platform: "Platform", name: str, release: str = "") -> "Agent":
    """The parts of an agent's release: the one that is named, that which is live, or else its last one.

    ConfigError with the nearest system for what is none, and for one that is no agent.
    """
    from ops_pipelines.agentops.agent import read_agent
    from ops_pipelines.core.errors import ConfigError, near_miss
    from ops_pipelines.core.pointer import PRODUCTION
    from ops_pipelines.core.release import find_release

    known = platform.releases.releases(name)
    if not known:
        raise ConfigError(
            f"{name!r} is no folder, and no agent that was released",
            expected="a folder of *.cedar files, or an agent's system",
            action=near_miss(name, {*platform.releases.systems(), *_declared(platform)}),
        )
    wanted = release or platform.live(PRODUCTION, name) or known[-1].digest
    return read_agent(find_release(platform.releases, name, wanted).manifest, platform.objects.get)


def _folder_of(platform: "Platform", name: str) -> Path | None:
    """Where the policy lies of an agent that the project declares; None where there is none."""
    declared = _declared(platform).get(name)
    if declared is None:
        return None
    folder = platform.project.policy_folder(name, declared.get("policy"))
    return folder if folder.is_dir() else None


def _declared(platform: "Platform") -> "Mapping[str, Mapping[str, Any]]":
    """The agents of the project's YAML by name; none where it has no definitions."""
    from ops_pipelines.adapters.declared import declared_in
    from ops_pipelines.cli.dg_project import read_dg_project
    from ops_pipelines.core.errors import ConfigError

    try:
        return declared_in(read_dg_project(platform.project.root).defs_folder).kinds.get("Agent", {})
    except ConfigError:
        return {}
