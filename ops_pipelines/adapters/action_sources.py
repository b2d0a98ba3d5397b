"""Where the room of agents' actions looks in a home, each thing read once for a walk."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from ops_pipelines.adapters.agent_place import system_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.action_provenance import Sources
from ops_pipelines.agentops.memory import MemoryScope
from ops_pipelines.agentops.run_log import RunFilter, recording_of
from ops_pipelines.agentops.run_named import ALWAYS
from ops_pipelines.core.errors import ConfigError


def action_sources_of(platform: Platform) -> Sources:
    """Where the walk of agents' actions looks."""
    return Sources(
        runs=lambda digits: [one.run for one in platform.runs.runs(ALWAYS, RunFilter(digits=digits), limit=9)],
        recording=cache(lambda run: recording_of(platform.runs, run)),
        approvals=cache(platform.approvals.held),
        decisions=cache(platform.decisions.decisions),
        effects=cache(platform.effects.entries),
        memory=lambda version: _memory(platform, version),
        system=lambda release: system_of(platform, release, otherwise="") or None,
        is_release=lambda digits: _is_release(platform, digits),
        now=platform.clock.wall,
    )


def _is_release(platform: Platform, digits: str) -> bool:
    releases = (one for system in platform.releases.systems() for one in platform.releases.releases(system))
    return any(one.digest.startswith(digits) for one in releases)


def _memory(platform: Platform, version: str) -> Mapping[str, Any] | None:
    """Who wrote what of a version, from which sources; None where there is no such version."""
    name, _, number = version.rpartition("@")
    try:
        scope = MemoryScope(*name.split("/"))
        changes = platform.memory.changes(scope, int(number))
    except (ConfigError, TypeError, ValueError):
        return None
    if len(changes) != int(number):
        return None
    writers, sources = (sorted({getattr(one, which) for one in changes}) for which in ("writer", "source"))
    return {"changes": len(changes), "writers": ", ".join(writers) or None, "sources": ", ".join(sources) or None}
