"""`ops ask`: a question to what is live, through the door that applications use."""

import asyncio
import sys
from typing import Annotated

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.output import AsJson, show

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("ask")
def ask(
    system: Annotated[str, typer.Argument(help="Who is asked, for instance runbook_answers.")],
    question: Annotated[str, typer.Argument(help="What is asked.")],
    release: Annotated[str | None, typer.Option(help="First digits of a release; what is live without.")] = None,
    environment: Annotated[str, typer.Option(help="Where it is live.")] = "production",
    tenant: Annotated[str, typer.Option(help="On whose behalf: budgets and the ledger tell them apart.")] = "",
    feature: Annotated[str, typer.Option(help="For which feature.")] = "",
    as_json: AsJson = False,
) -> None:
    """The answer with the passages that it was given from. Exit 1 where a guardrail refused or a budget is spent."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.apps.client import AnswerDoor

    platform = Platform.embedded()
    where = platform.project.checked_environment(environment)
    door = AnswerDoor(platform, alert=lambda said: print(f"ops: {said}", file=sys.stderr))
    asked = door.answer(system, question, tenant=tenant, feature=feature, release=release, environment=where)
    found = asyncio.run(asked)
    if as_json:
        show([found.to_json()], as_json=True)
    else:
        print(found.text)
        for reason in found.refused_by:
            print(f"  refused: {reason}")
        print()
        show(
            [{"passage": one.citation, "text": " ".join(one.text.split())[:80]} for one in found.passages], title="read"
        )
        cost = "unknown" if found.usd is None else f"${found.usd:f}"
        print(f"\n{found.provider}/{found.model}, {cost}. `ops why {found.id}` says what made it.")
    if found.refused_by:
        raise typer.Exit(REFUSED)
