"""How people name a policy: a folder of files, or an agent, by the files that its YAML names or by its release."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.agent import Agent
    from ops_pipelines.agentops.freeze import Freeze


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """The texts of a policy, which need not be one, with its freezes, and the released agent whose it is, if any."""

    name: str
    texts: "Mapping[str, str]"
    freezes: "Sequence[Freeze]"
    agent: "Agent | None" = None


def policy_named(platform: "Platform", name: str) -> NamedPolicy:
    """The policy in a folder, or that of an agent as its files are now; of one without files, as it was released.

    ConfigError where there is neither.
    """
    from ops_pipelines.adapters.policy_files import freezes_in, texts_in

    agent = agent_named(platform, name) if platform.releases.releases(name) else None
    folder = Path(name) if Path(name).is_dir() else _folder_of(platform, name)
    if folder:
        return NamedPolicy(name, texts_in(folder), freezes_in(folder), agent)
    agent = agent or agent_named(platform, name)
    return NamedPolicy(name, agent.policy.texts, agent.policy.freezes, agent)


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
            f"{name!r} is neither a folder nor a released agent",
            expected="a folder of *.cedar files, or an agent's system",
            action=near_miss(name, platform.releases.systems()),
        )
    wanted = release or platform.live(PRODUCTION, name) or known[-1].digest
    return read_agent(find_release(platform.releases, name, wanted).manifest, platform.objects.get)


def _folder_of(platform: "Platform", name: str) -> Path | None:
    """Where the policy lies of an agent that the project declares; None where there is none."""
    from ops_pipelines.adapters.declared import declared_in
    from ops_pipelines.cli.dg_project import read_dg_project
    from ops_pipelines.core.errors import ConfigError

    project = platform.project
    try:
        declared = declared_in(read_dg_project(project.root).defs_folder).kinds.get("Agent", {})
    except ConfigError:
        return None
    policy = declared[name].get("policy") if name in declared else None
    folder = project.root / str(policy) if policy else project.evals / "agents" / name / "policy"
    return folder if name in declared and folder.is_dir() else None
