"""`ops agent memory show|find|rollback`: what agents remember, who wrote it from which source, and what was poisoned."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.agent_words import at, exact, short_json
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.poisoned_memory import Poisoned
    from ops_pipelines.agentops.memory import Change, MemoryScope, Suspect

memory = typer.Typer(help="show, find or rollback what agents remember.", no_args_is_help=True, suggest_commands=False)
Scope = Annotated[str, typer.Argument(help="Whose: TENANT, TENANT/AGENT or TENANT/AGENT/RUN.")]
Tenant = Annotated[str, typer.Argument(help="The tenant, in all of whose memories is looked.")]
Source = Annotated[str, typer.Option(help="Where it came from, for instance tool:get_webpage.")]
Writer = Annotated[str, typer.Option(help="The agent or the person who wrote it.")]
Text = Annotated[str, typer.Option(help="A text that stands in it.")]
Run = Annotated[str, typer.Option(help="The run that wrote it, by its first digits.")]
Spread = Annotated[bool, typer.Option("--spread", help="Also what runs wrote that had read a poisoned entry.")]


@memory.command("show")
def show_memory(
    scope: Scope,
    version: Annotated[int | None, typer.Option(help="As it was at a version; the last without.", min=0)] = None,
    history: Annotated[bool, typer.Option("--history", help="Every change, and not what they come to.")] = False,
    as_json: AsJson = False,
) -> None:
    """What one scope holds, with who wrote each entry, from which source, and in which run. Exit 2 for no such scope."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.memory import version_name

    found = _scope(platform := Platform.embedded(), scope)
    changes = platform.memory.changes(found, version)
    last = {change.key: number for number, change in enumerate(changes, start=1)}
    numbers = range(1, len(changes) + 1) if history else sorted(last.values())
    rows = [_row(number, changes[number - 1], as_json) for number in numbers]
    shown = [row for row in rows if history or row["value"] not in (None, "forgotten")]
    show(shown, title=version_name(found, len(changes)), as_json=as_json)


@memory.command("find")
def find_entries(
    tenant: Tenant,
    *,
    source: Source = "",
    writer: Writer = "",
    text: Text = "",
    run: Run = "",
    spread: Spread = False,
    as_json: AsJson = False,
) -> None:
    """Poisoned entries by their source, writer, run or text, and the runs that read them."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    found = _found(platform, tenant, _suspect(platform, source, writer, text, run), spread)
    if as_json:
        show([_record(one) for one in found], as_json=True)
        return
    rows = [{"memory": one.scope.name, **_row(n, one.changes[n - 1], False)} for one in found for n in one.versions]
    show(rows, title="suspected")
    for reader in sorted({reader for one in found for reader in one.readers}):
        print(f"read by {reader[:12]}: ops agent show {reader[:12]}")


@memory.command("rollback")
def roll_back_entries(  # noqa: PLR0913 a verb's options are its arguments
    tenant: Tenant,
    *,
    source: Source = "",
    writer: Writer = "",
    text: Text = "",
    run: Run = "",
    spread: Spread = False,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "poisoned",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give every entry whose value is poisoned the last good one, or forget it. Exit 1 where your token may not."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.poisoned_memory import roll_scope_back, undone, who_may_roll_back

    platform = Platform.embedded()
    found = _found(platform, tenant, _suspect(platform, source, writer, text, run), spread)
    by = [who_may_roll_back(platform, one.scope, otherwise=actor()) for one in found]  # all of it, or none
    rows = []
    for one, who in zip(found, by, strict=True):
        changes = (
            undone(platform, one, by=who, reason=reason)
            if dry_run
            else roll_scope_back(platform, one, otherwise=actor(), reason=reason)
        )
        rows += [_undone(one.scope, change, as_json) for change in changes]
    show(rows, title="would be rolled back" if dry_run else "rolled back", as_json=as_json)


def _scope(platform: "Platform", name: str) -> "MemoryScope":
    """The scope of a name; ConfigError with the nearest of its tenant where it holds nothing."""
    from ops_pipelines.agentops.memory import MemoryScope
    from ops_pipelines.core.errors import ConfigError, near_miss

    parts = name.split("/")
    found = MemoryScope(*parts) if len(parts) <= 3 else None
    known = platform.memory.scopes(parts[0])
    if found is None or found not in known:
        raise ConfigError(
            f"No memory is called {name!r}",
            expected="TENANT, TENANT/AGENT or TENANT/AGENT/RUN that remembers something",
            action=near_miss(name, [scope.name for scope in known]),
            memory=name,
        )
    return found


def _suspect(platform: "Platform", source: str, writer: str, text: str, run: str) -> "Suspect":
    from ops_pipelines.agentops.memory import Suspect
    from ops_pipelines.agentops.run_named import run_named

    runs = frozenset({run_named(platform.runs, run)}) if run else frozenset[str]()
    return Suspect(source=source, writer=writer, runs=runs, text=text)


def _found(platform: "Platform", tenant: str, suspect: "Suspect", spread: bool) -> "tuple[Poisoned, ...]":
    from ops_pipelines.adapters.poisoned_memory import find_in_tenant
    from ops_pipelines.core.errors import ConfigError

    if not platform.memory.scopes(tenant):
        raise ConfigError(
            f"The tenant {tenant!r} remembers nothing",
            expected="a tenant with a memory",
            action="Its name stands in the agent's settings, and in what a run says that it read",
        )
    return find_in_tenant(platform, tenant, suspect, spread=spread)


def _row(number: int, change: "Change", as_json: bool) -> dict[str, Any]:
    value = change.value if as_json else short_json(change.value, 100) if change.value is not None else "forgotten"
    return {
        "version": number,
        "key": change.key if as_json else exact(change.key),
        "value": value,
        "writer": change.writer,
        "source": change.source if as_json else exact(change.source),
        "run": change.run if as_json else change.run[:12],
        "at": change.at if as_json else at(change.at),
        "reason": change.reason,
    }


def _record(one: "Poisoned") -> dict[str, Any]:
    rows = [_row(number, one.changes[number - 1], True) for number in one.versions]
    return {"memory": one.scope.name, "entries": rows, "read_by": list(one.readers)}


def _undone(scope: "MemoryScope", change: "Change", as_json: bool) -> dict[str, Any]:
    kept = change.value if as_json else "forgotten" if change.value is None else short_json(change.value, 100)
    return {"memory": scope.name, "key": change.key, "value now": kept, "by": change.writer, "because": change.reason}
