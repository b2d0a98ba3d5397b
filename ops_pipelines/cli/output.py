"""How verbs answer: a table on a terminal, plain text elsewhere, JSON on request."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]


def show(rows: Sequence[Mapping[str, Any]], *, title: str = "", as_json: bool = False) -> None:
    """Prints rows as JSON, as a table on a terminal, or as tab-separated text."""
    if as_json:
        print(json.dumps(list(rows), indent=2, default=str))
    elif not rows:
        print(f"{title}: nothing yet" if title else "nothing yet")
        _say_where_nothing_is()
    elif sys.stdout.isatty():
        _table(rows, title)
    else:
        print("\t".join(rows[0]))
        for row in rows:
            print("\t".join(str(value) for value in row.values()))


def _say_where_nothing_is() -> None:
    """A home that does not exist is told: its path may have been mistyped."""
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.core.errors import ConfigError

    with suppress(ConfigError):  # a verb that needs no project needs no home
        home = find_project().home
        if not home.exists():
            print(f"There is no home at {home} yet; OPS_HOME names another.", file=sys.stderr)


def _table(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        # A Text, since what stands in brackets is no markup: whoever approves a call has to see all of it.
        table.add_row(*(Text(str(value)) for value in row.values()))
    Console().print(table)
