"""`ops policy check`: whether a policy can be used, and which of its rules never apply."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.policy_reach import Known
    from ops_pipelines.cli.policy_named import NamedPolicy


def check(
    name: Annotated[str, typer.Argument(help="A folder of *.cedar files, or an agent.")],
    agent: Annotated[str, typer.Option(help="For a folder: the agent whose tools it is about.")] = "",
    as_json: AsJson = False,
) -> None:
    """Every fault with its file and line, and a warning for each rule that can never apply. Exit 1 for a fault."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.policy import Policy
    from ops_pipelines.agentops.policy_reach import never_applying
    from ops_pipelines.agentops.policy_rules import faults_in, rules_in
    from ops_pipelines.cli.policy_named import policy_named

    platform = Platform.embedded()
    named = policy_named(platform, name)
    faults = faults_in(named.texts)
    rows = [{"where": f"{one.file}:{one.line}", "is": "fault", "what": one.wrong} for one in faults]
    found: dict[str, Any] = {"policy": name, "usable": not faults, "rules": 0, "digest": ""}
    if not faults:
        policy, known = Policy(named.texts, named.freezes), _known(platform, named, agent)
        rows += [_warning(rule.place, rule.id, why) for rule, why in never_applying(policy, known)]
        found |= {"rules": len(rules_in(policy.texts)), "digest": policy.digest}
    if as_json:
        show([{**found, "findings": rows}], as_json=True)
    else:
        for row in rows:
            print(f"{row['where']}: {'' if row['is'] == 'fault' else 'warning: '}{row['what']}")
        print(_words(found, len(faults), len(rows)))
    if faults:
        raise typer.Exit(REFUSED)


def _warning(where: str, rule: str, why: str) -> dict[str, str]:
    return {"where": where, "is": "warning", "what": f"the rule {rule!r} can never apply. {why}"}


def _words(found: dict[str, Any], faults: int, rows: int) -> str:
    if faults:
        return f"{found['policy']} cannot be used: {faults} fault{'s' if faults > 1 else ''}"
    warnings = f"{rows} warning{'' if rows == 1 else 's'}"
    return f"{found['policy']} can be used: {found['rules']} rules, {warnings}, digest {found['digest'][:12]}"


def _known(platform: "Platform", named: "NamedPolicy", agent: str) -> "Known":
    from ops_pipelines.agentops.policy_reach import Known
    from ops_pipelines.cli.policy_named import tools_named

    tools = tools_named(platform, agent) if agent else named.tools
    system = agent or (named.name if tools else "")
    freezes = tuple(freeze.name for freeze in named.freezes)
    return Known(system, tools, platform.project.environments, freezes)
