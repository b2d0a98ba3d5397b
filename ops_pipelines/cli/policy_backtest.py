"""`ops policy backtest`: which recorded decisions another policy would change."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.agent_names import instant_since
from ops_pipelines.cli.agent_words import exact
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.backtest import Backtest, Changed
    from ops_pipelines.agentops.decision_log import Logged

_EXAMPLES = 3


def backtest(
    policy: Annotated[str, typer.Argument(help="A folder with the policy that is to be.")],
    agent: Annotated[str, typer.Option(help="The agent whose decisions are judged again.")],
    since: Annotated[str, typer.Option(help="Only decisions after: 2h, 30d, or an instant.")] = "",
    allow_looser: Annotated[
        bool, typer.Option("--allow-looser", help="It is meant that more is allowed without a person.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The decisions that would change, by tool and rule. Exit 1 where a call would be held back less than before.

    Exit 3 where no decision could be judged again. Nothing is done, and nothing is kept.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.backtest import backtest as judged
    from ops_pipelines.agentops.backtest_rule import BacktestRule, judge_backtest
    from ops_pipelines.agentops.policy import Policy
    from ops_pipelines.cli.policy_named import agent_named, policy_named
    from ops_pipelines.core.verdict import reasons_of

    platform = Platform.embedded()
    named, live = policy_named(platform, policy), agent_named(platform, agent)
    decisions = _decisions(platform, agent, since)
    found = judged(decisions, live.tools, before=live.policy, after=Policy(named.texts, named.freezes))
    looser = judge_backtest(found, BacktestRule())
    reasons = list(reasons_of(looser))
    if as_json:
        show([{**found.to_json(), "groups": _groups(found), "loosened": reasons}], as_json=True)
    else:
        print("\n".join(_words(found, reasons)))
        show([{**row, "for instance": ", ".join(row["for instance"])} for row in _groups(found)], title="changes")
    if reasons and not allow_looser:
        raise typer.Exit(REFUSED)
    if not found.judged:
        raise typer.Exit(COULD_NOT_TELL)


def _decisions(platform: "Platform", agent: str, since: str) -> "list[Logged]":
    """Those of the agent, and of those to whom its runs handed work on."""
    from ops_pipelines.agentops.backtest import decisions_of

    releases = {release.digest for release in platform.releases.releases(agent)}
    after = instant_since(since, platform.clock.wall()) if since else None
    return decisions_of(platform.decisions.decisions(), agent, releases, after)


def _words(found: "Backtest", loosened: list[str]) -> list[str]:
    lines = [f"{found.judged} decisions judged again, {len(found.changed)} would change"]
    lines += [f"{count} could not be judged: {why}" for why, count in Counter(found.not_judged.values()).items()]
    return [*lines, *(f"looser: {reason}" for reason in loosened)]


def _groups(found: "Backtest") -> list[dict[str, Any]]:
    """The changes by tool, by what is said and by which rules say it, the looser ones first and then the many."""
    keys = [_key(one) for one in found.changed]
    groups = sorted(Counter(keys).items(), key=lambda group: (group[0][2] != "allow", -group[1], group[0]))
    return [
        {
            "calls": count,
            "tool": tool,
            "before": f"{before} {_by(was)}",
            "after": f"{after} {_by(by)}",
            "for instance": [one.logged.id[:12] for one, key in zip(found.changed, keys, strict=True) if key == group][
                :_EXAMPLES
            ],
        }
        for group, count in groups
        for tool, before, after, was, by in [group]
    ]


def _key(one: "Changed") -> tuple[str, str, str, tuple[str, ...], tuple[str, ...]]:
    said = (one.before.by or one.before.errors, one.after.by or one.after.errors)
    return (one.logged.tool, one.before.outcome, one.after.outcome, *said)


def _by(names: tuple[str, ...]) -> str:
    return f"({', '.join(map(exact, names)) or 'no rule permits it'})"
