"""A candidate's policy is asked about the calls of the past: which of them it would decide otherwise than what is live."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.agent import read_agent
from ops_pipelines.agentops.backtest import Backtest, backtest, decisions_of
from ops_pipelines.agentops.backtest_rule import is_loosened, judge_backtest
from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.components.agent_candidate import kept_candidate
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import NotEvaluated, Passed

if TYPE_CHECKING:
    from ops_pipelines.components.agent import Agent

LOOSENED = "nothing_is_loosened"


def make_backtest(agent: "Agent", platform: Platform) -> Product:
    """Each recorded call that the candidate's policy decides otherwise than the live one, as a row.

    What would be loosened is a finding; whether it keeps the gate shut is the gate's to say.
    """
    candidate = platform.lake.good(f"{agent.name}/candidate")
    if candidate is None:
        return unmade(NotEvaluated("no candidate was accepted"), {}, (LOOSENED,))
    release, live = kept_candidate(platform, candidate), live_release(platform.releases, agent.name, PRODUCTION)
    found = _found(agent, platform, release, live)
    loosened = judge_backtest(found, agent.backtest.rule())
    rows = _rows(found)
    return Product(
        table_of(rows),
        digest=digest_json([release.digest, live.digest if live else None, found.to_json()]),
        verdict=Passed({"judged": found.judged}),
        inputs={candidate.address: candidate.digest},
        facts={"release": release.digest, "baseline": live.digest if live else None, **loosened.evidence},
        shown={
            "release": short(release.digest),
            "compared with": short(live.digest) if live else "nothing: it is the first",
            "recorded calls": found.judged,
            "would change": shown_table(rows[:50]),
            "not judged": len(found.not_judged),
        },
        findings={LOOSENED: loosened},
    )


def _found(agent: "Agent", platform: Platform, release: Release, live: Release | None) -> Backtest:
    if live is None:
        return Backtest(0, (), {})
    after, before = (read_agent(one.manifest, platform.objects.get) for one in (release, live))
    return backtest(
        _recorded(agent, platform), after.tools, before=before.policy, after=after.policy, registry_before=before.tools
    )


def _recorded(agent: "Agent", platform: Platform) -> list[Logged]:
    """The decisions of the days that are asked about."""
    since = platform.clock.wall() - timedelta(days=agent.backtest.days)
    releases = {release.digest for release in platform.releases.releases(agent.name)}
    return decisions_of(platform.decisions.decisions(), agent.name, releases, since)


def _rows(found: Backtest) -> list[dict[str, Any]]:
    return [
        {
            "id": one.logged.id,
            "run": one.logged.run,
            "tool": one.logged.tool,
            "before": one.before.outcome,
            "after": one.after.outcome,
            "loosened": is_loosened(one),
            "why": one.after.reason,
        }
        for one in found.changed
    ]
