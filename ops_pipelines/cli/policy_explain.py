"""`ops policy explain`: rule by rule, why a call is allowed, asked for or denied, and what would have to be otherwise."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_names import json_given
from ops_pipelines.cli.agent_words import exact
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from datetime import datetime

    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.agent import Agent
    from ops_pipelines.agentops.decision_log import Logged
    from ops_pipelines.agentops.policy import Policy, Situation
    from ops_pipelines.agentops.policy_explain import Applied
    from ops_pipelines.agentops.tool_registry import Tool

Kinds = Annotated[list[str] | None, typer.Option(help="Kinds of claims: id, destination, amount, amount_cents.")]


@dataclass(frozen=True, slots=True)
class _Case:
    """A call that is explained: by which policy, of which tool, and in which situation."""

    policy: "Policy"
    tool: "Tool"
    situation: "Situation"
    arguments: str
    logged: "Logged | None" = None


def explain(  # noqa: PLR0913 a verb's options are its arguments
    agent: Annotated[str, typer.Argument(help="The agent; not needed with --decision.")] = "",
    *,
    tool: Annotated[str, typer.Option(help="The tool of a call that was not made.")] = "",
    arguments: Annotated[str, typer.Option(help="Its arguments, as JSON or @file.")] = "{}",
    decision: Annotated[
        str, typer.Option(help="Instead: the first digits of a decision, or of the approval it asked for.")
    ] = "",
    policy: Annotated[str, typer.Option(help="By another policy: a folder.")] = "",
    unseen: Kinds = None,
    tainted: Kinds = None,
    environment: Annotated[str, typer.Option(help="Where it would act.")] = "production",
    as_json: AsJson = False,
) -> None:
    """Which rules apply to a call and what they say, and by which smallest changes it would be allowed.

    Unless --unseen or --tainted says otherwise, the arguments count as the user's own words.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.policy_explain import explain as explained

    platform = Platform.embedded()
    if decision:
        case = _decided(platform, decision, policy)
    else:
        taint = (tuple(unseen or ()), tuple(tainted or ()))
        case = _imagined(platform, agent, tool, json_given(arguments, option="--arguments"), policy)
        case = _placed(case, taint, environment, platform.clock.wall())
    approved = bool(case.logged and case.logged.situation.get("approved"))
    found = explained(case.policy, case.tool, case.situation, approved=approved)
    if as_json:
        logged = {"logged": case.logged.to_json()} if case.logged else {}
        show([{"tool": case.tool.name, "arguments": case.arguments, **found.to_json(), **logged}], as_json=True)
        return
    print(f"{case.tool.name} {exact(case.arguments)}")
    if case.logged:
        print(f"  was {case.logged.what} at {case.logged.stage or 'policy'}: {exact(case.logged.reason)}")
        if case.logged.redacted:
            print("  a secret was taken out of it: a rule about its arguments may say otherwise than it did")
    print(f"  the policy says {found.decision.outcome}: {exact(found.decision.reason)}\n")
    show([_row(one) for one in found.rules], title="rules")
    for number, changes in enumerate(found.otherwise):
        print(f"{'it would be allowed if' if not number else '                 or if'} {' and '.join(changes)}")
    if not found.otherwise and found.decision.outcome != "allow":
        print("nothing that was tried would let it through: only another policy does")


def _row(one: "Applied") -> dict[str, str]:
    said = {"rule": exact(one.rule.id), "it": f"{one.rule.effect}s", "stands in": one.rule.place}
    return said | {"applies": "yes" if one.applies else "no", "if approved": "yes" if one.when_approved else "no"}


def _decided(platform: "Platform", digits: str, folder: str) -> _Case:
    from ops_pipelines.agentops.backtest import situation_from
    from ops_pipelines.core.errors import ConfigError

    logged = decision_named(platform, digits)
    agent = _agent_of(platform, logged)
    tool = agent.tools.get(logged.tool)
    if tool is None or not logged.situation:
        raise ConfigError(
            f"The decision {logged.id[:12]} was made before the policy was asked: {logged.reason}",
            expected="a call of a tool that is there, with arguments that it takes",
            action="`ops agent show` says what was wrong with it",
        )
    situation = situation_from(logged.agent, logged.situation)
    return _Case(_policy(platform, agent, folder), tool, situation, logged.arguments, logged)


def decision_named(platform: "Platform", digits: str) -> "Logged":
    """The one decision whose id begins so, or that asked for the approval that does; ConfigError for none and several."""
    from ops_pipelines.core.errors import ConfigError

    decisions = platform.decisions.decisions()
    found = [one for one in decisions if digits and one.id.startswith(digits)] or _asking(platform, decisions, digits)
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        f"{'No' if not found else 'More than one'} decision begins with {digits!r}",
        expected="the first digits of exactly one decision",
        action="`ops agent show RUN` lists those of a run",
        decision=digits,
    )


def _asking(platform: "Platform", decisions: "tuple[Logged, ...]", digits: str) -> "list[Logged]":
    """The last decision that asked for the one approval that begins so; empty for none and for several."""
    from ops_pipelines.adapters.redactors import secrets_out_of
    from ops_pipelines.agentops.tool_gate import WAITING

    held = [one.request for one in platform.approvals.held() if digits and one.request.id.startswith(digits)]
    kept = secrets_out_of(platform.project.home).json
    calls = [(one.binding.run, one.tool, kept(one.binding.arguments)) for one in held]
    asked = [one for one in decisions if one.what == WAITING and [(one.run, one.tool, one.arguments)] == calls]
    return asked[-1:]


def _agent_of(platform: "Platform", logged: "Logged") -> "Agent":
    from ops_pipelines.adapters.agent_place import system_of
    from ops_pipelines.cli.policy_named import agent_named

    system = system_of(platform, logged.release, otherwise=logged.agent)
    return agent_named(platform, system, logged.release)


def _imagined(platform: "Platform", name: str, tool: str, arguments: Any, folder: str) -> _Case:
    from ops_pipelines.agentops.call_facts import cents_of, plain_arguments
    from ops_pipelines.agentops.claims import claims_of
    from ops_pipelines.agentops.policy import Situation
    from ops_pipelines.cli.policy_named import agent_named
    from ops_pipelines.core.errors import ConfigError
    from ops_pipelines.core.fingerprint import canonical_json

    if not name or not tool:
        raise ConfigError(
            "It is not clear which call is meant", expected="AGENT --tool T, or --decision ID", action="Name one"
        )
    agent = agent_named(platform, name)
    problems = agent.tools.problems(tool, arguments)
    found = agent.tools.get(tool)
    if problems or found is None:
        raise ConfigError(
            f"{name} cannot call {tool}: {'; '.join(problems)}",
            expected="a tool of the agent, with arguments that it takes",
            action="The gate refuses this before any policy is asked",
        )
    cents = cents_of(claims_of(found.schema, arguments))
    situation = Situation(name, agent.tenant, arguments=plain_arguments(arguments), amount_cents=cents)
    return _Case(_policy(platform, agent, folder), found, situation, canonical_json(arguments).decode())


def _placed(case: _Case, taint: tuple[tuple[str, ...], tuple[str, ...]], environment: str, now: "datetime") -> _Case:
    """The call where it would act, and now: with the freezes that hold."""
    from dataclasses import replace

    from ops_pipelines.agentops.freeze import frozen_by

    unseen, tainted = taint
    _check_kinds((*unseen, *tainted))
    freezes = frozen_by(case.policy.freezes, now)
    made = replace(
        case.situation,
        unseen=unseen,
        tainted=tainted,
        run_is_tainted=bool(tainted),
        environment=environment,
        freezes=freezes,
    )
    return replace(case, situation=made)


def _check_kinds(kinds: tuple[str, ...]) -> None:
    from ops_pipelines.agentops.claims import FREE, KINDS
    from ops_pipelines.core.errors import ConfigError, near_miss

    known = [kind for kind in KINDS if kind != FREE]
    for kind in kinds:
        if kind not in known:
            raise ConfigError(
                f"{kind!r} is no kind of claim", expected=f"one of {', '.join(known)}", action=near_miss(kind, known)
            )


def _policy(platform: "Platform", agent: "Agent", folder: str) -> "Policy":
    from ops_pipelines.agentops.policy import Policy
    from ops_pipelines.cli.policy_named import policy_named

    if not folder:
        return agent.policy
    named = policy_named(platform, folder)
    return Policy(named.texts, named.freezes)
