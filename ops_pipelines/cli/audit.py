"""`ops audit verify|list|head`: what was done to the platform, by whom, and whether that record still holds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.core.audit import Entry

app = typer.Typer()
audit = typer.Typer(
    help="verify, list or head: the chain of what was done.", no_args_is_help=True, suggest_commands=False
)
app.add_typer(audit, name="audit")


@app.callback()
def _family() -> None:
    pass


@audit.command("verify")
def verify_audit(
    head: Annotated[
        str | None, typer.Option(help="A head that was noted elsewhere; without it a cut end is missed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry, and every row that it tells of. Exit 1 where one was changed, 3 where there is nothing yet.

    The removal of the very last entries together with their rows is found with --head alone.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.audit_coverage import judge_audit
    from ops_pipelines.core.verdict import Blocked, Passed, name_of, reasons_of

    found = judge_audit(*Platform.embedded().audit.snapshot(), head)
    shown = {
        "audit": name_of(found),
        "entries": found.evidence.get("entries", 0),
        "head": found.evidence.get("head", ""),
    }
    show([{**shown, "because": "; ".join(reasons_of(found))}], as_json=as_json)
    raise typer.Exit(0 if isinstance(found, Passed) else 1 if isinstance(found, Blocked) else 3)


@audit.command("list")
def list_entries(
    system: Annotated[str | None, typer.Option(help="Only what was done to this system.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the latest; 0 for all.", min=0)] = 20,
    as_json: AsJson = False,
) -> None:
    """What was done, the latest last. It is shown as it stands: `ops audit verify` says whether it holds."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.audit import read_entry

    entries = [read_entry(row) for row in Platform.embedded().audit.rows()]
    wanted = [entry for entry in entries if system in (None, entry.subject)]
    show([_row(entry, as_json) for entry in (wanted[-limit:] if limit else wanted)], title="audit", as_json=as_json)


@audit.command("head")
def show_head(as_json: AsJson = False) -> None:
    """The hash of the last entry, to be noted where nobody who writes these files can write. Exit 3 for an empty log."""
    from ops_pipelines.adapters.platform import Platform

    rows = Platform.embedded().audit.rows()
    show([{"entry": row.sequence, "head": row.hash} for row in rows[-1:]], title="audit", as_json=as_json)
    raise typer.Exit(0 if rows else 3)


def _row(entry: "Entry", as_json: bool) -> dict[str, Any]:
    import json

    facts = dict(entry.facts) if as_json else json.dumps(dict(entry.facts), sort_keys=True, ensure_ascii=False)
    told = {"entry": entry.sequence, "at": f"{entry.at:%Y-%m-%d %H:%M:%S} UTC", "by": entry.actor}
    return told | {"did": entry.action, "to": entry.subject, "facts": facts}
