"""A candidate: all that decides what an agent does now, put together, and judged before it does anything."""

import json
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.agents import equipped
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.policy_files import policy_in
from ops_pipelines.agentops.agent import Agent as Whole
from ops_pipelines.agentops.agent_fit import judge_parts
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade, why_command
from ops_pipelines.core.errors import ConfigError, ReleaseError
from ops_pipelines.core.fingerprint import canonical_json, short
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Evidence, Manifest, Release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    from ops_pipelines.components.agent import Agent

FITS, PARTS = "fits", "parts"


def make_candidate(agent: "Agent", platform: Platform, *, run_id: str) -> Product:
    """The manifest of what would act now, kept with its parts, and whether all of it fits together.

    Blocked, and nothing is kept, where a policy, the toolset or the budgets cannot be used, or nothing is live of what it
    uses. What does not fit is kept with its reasons.
    """
    try:
        whole = compose_agent(agent, platform)
        manifest = whole.manifest(agent.name)
    except (ConfigError, ReleaseError) as error:
        return unmade(Blocked((str(error),)), {}, ())
    for content in (*whole.contents().values(), canonical_json(manifest.to_json())):
        platform.objects.put(content)
    live = live_release(platform.releases, agent.name, PRODUCTION)
    changed = _changed(manifest, live)
    facts = {
        "run": run_id,
        "commit": platform.project.commit(),
        "release": manifest.digest,
        "uses": dict(manifest.uses),
        "changed": changed,
    }
    verdict = _judged(platform, manifest, whole)
    if not isinstance(verdict, Passed):
        evidence = Evidence(verdict, live.digest if live else None, platform.clock.as_of(), facts)
        platform.releases.save(manifest, evidence)
    rows = [{"part": name, "digest": digest} for name, digest in manifest.behaviour.items()]
    shown = {"release": short(manifest.digest), "why": why_command(short(manifest.digest)), **_shown(whole, changed)}
    return Product(table_of(rows), manifest.digest, verdict, {}, facts=facts, shown=shown)


def compose_agent(agent: "Agent", platform: Platform) -> Whole:
    """The agent as its YAML, its files and what is installed make it now; errors as of the parts.

    ReleaseError where nothing is live of what it uses.
    """
    whole = Whole(
        program=agent.program,
        toolset=agent.toolset,
        policy=policy_in(agent.policy_folder(platform.project)),
        settings=agent.settings,
        budgets=agent.budgets.budgets(),
        tenant=agent.tenant,
        uses={system: _live(platform, system) for system in agent.uses},
        operates=tuple(agent.operates),
    )
    return equipped(platform, agent.name, whole)


def kept_candidate(platform: Platform, candidate: Artefact) -> Release:
    """The release that a candidate would be: its manifest, with what was kept of it so far."""
    digest = str(candidate.facts["release"])
    known = platform.release(candidate.key.partition("/")[0], digest)
    return known or _unjudged(platform, Manifest.from_json(json.loads(platform.objects.get(digest))))


def _live(platform: Platform, system: str) -> str:
    digest = platform.live(PRODUCTION, system)
    if digest is None:
        raise ReleaseError(
            f"Nothing of {system!r} is live, and the agent uses it",
            expected="a live release, to which it is pinned",
            action=f"`ops promote {system} RELEASE` first",
            system=system,
        )
    return digest


def _judged(platform: Platform, manifest: Manifest, whole: Whole) -> Verdict:
    """Whether it could act here: every digest resolves, its tools are there, and what it operates is live."""
    found = {FITS: platform.works_here(_unjudged(platform, manifest)), PARTS: judge_parts(whole)}
    judgements = [Judgement(name, manifest.digest, verdict) for name, verdict in found.items()]
    return decide(manifest.digest, required=list(found), judgements=judgements)


def _unjudged(platform: Platform, manifest: Manifest) -> Release:
    return Release(manifest, (Evidence(NotEvaluated("being judged"), None, platform.clock.as_of()),))


def _changed(manifest: Manifest, live: Release | None) -> list[str]:
    """The parts, and the pinned systems, that are others than in the live release; all of them where nothing is live."""
    before = live.manifest if live else Manifest(manifest.system, {})
    parts = {**manifest.behaviour, **{f"uses {name}": digest for name, digest in manifest.uses.items()}}
    were = {**before.behaviour, **{f"uses {name}": digest for name, digest in before.uses.items()}}
    other = {name for name in {*parts, *were} if parts.get(name) != were.get(name)}
    return sorted(other | ({"operates"} if before.operates != manifest.operates else set()))


def _shown(whole: Whole, changed: list[str]) -> dict[str, Any]:
    tools = [
        {"tool": tool.name, "effect": tool.effect, "trusted": tool.trusted, "owner": tool.owner} for tool in whole.tools
    ]
    return {
        "differs from what is live in": ", ".join(changed) or "nothing",
        "tools": shown_table(tools),
        "policies": ", ".join(sorted(whole.policy.texts)),
        "uses": ", ".join(f"{system}@{short(digest)}" for system, digest in whole.uses.items()) or "nothing",
        "operates": ", ".join(whole.operates) or "nothing",
        "budget of a run": f"${whole.budgets.limit_usd}, {whole.budgets.loops.steps} steps",
    }
