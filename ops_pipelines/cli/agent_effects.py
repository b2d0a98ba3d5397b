"""`ops agent effects` and `ops agent settle`: what agents did to the world, and what a person found out of the rest."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.agent_names import json_given
from ops_pipelines.cli.agent_words import at, exact
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from datetime import datetime

    from ops_pipelines.agentops.effects import Entry


def list_effects(
    unknown: Annotated[bool, typer.Option("--unknown", help="Only those of which nobody knows.")] = False,
    run: Annotated[str, typer.Option(help="Only those of the run that begins so.")] = "",
    as_json: AsJson = False,
) -> None:
    """The journal: each effect with its arguments and what came of it, the first first. An unknown one is never repeated."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.effects import UNKNOWN

    platform = Platform.embedded()
    now = platform.clock.wall()
    found = [
        entry
        for entry in platform.effects.entries()
        if entry.intent.run.startswith(run) and (not unknown or entry.state(now) == UNKNOWN)
    ]
    rows = [{"effect": entry.intent.digits, **entry.to_json(now)} if as_json else _row(entry, now) for entry in found]
    show(rows, title="unknown effects" if unknown else "effects", as_json=as_json)


def settle(
    key: Annotated[str, typer.Argument(help="The first digits of an effect, or its key.")],
    done: Annotated[
        bool | None, typer.Option("--done/--not-done", help="It was done, or it was not: you have looked.")
    ] = None,
    note: Annotated[str, typer.Option(help="How you know, for the history.")] = "",
    result: Annotated[str, typer.Option(help="With --done: what the tool would have answered, as JSON.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Say what came of an effect of which nobody knows. Exit 1 where that is known already, or its tool may yet answer."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.settled_effects import settle_effect

    was_done = _checked(done, note, result)
    given = json_given(result, option="--result") if result else None
    found = settle_effect(
        Platform.embedded(), key, done=was_done, note=note, result=given, otherwise=actor(), dry_run=dry_run
    )
    if as_json:
        show([found.to_json()], as_json=True)
    else:
        intent, would = found.entry.intent, "would be" if dry_run else "is"
        why = f": {'; '.join(found.to_json()['reasons'])}" if not found.counts else f" by {found.outcome.by}"
        print(f"{intent.digits} {would if found.counts else 'is not'} settled as {found.outcome.state}{why}")
        print(f"  the call:  {intent.tool} {exact(intent.arguments)}")
    if not found.counts:
        raise typer.Exit(REFUSED)


def _checked(done: bool | None, note: str, result: str) -> bool:
    from ops_pipelines.core.errors import ConfigError

    if done is None or not note.strip() or (result and not done):
        raise ConfigError(
            "It is not clear what came of the effect, or how you know",
            expected="--done or --not-done, with a --note; --result with --done alone",
            action="Look where the tool acts, and say what you found",
        )
    return done


def _row(entry: "Entry", now: "datetime") -> dict[str, Any]:
    intent, outcome = entry.intent, entry.outcome
    return {
        "effect": intent.digits,
        "run": intent.run[:12],
        "state": entry.state(now),
        "tool": intent.tool,
        "arguments": exact(intent.arguments),
        "started": at(entry.started_at),
        "approval": intent.approval[:12],
        "came of it": exact(outcome.result) if outcome else "",
        "by": outcome.by if outcome else "",
    }
