"""`ops agent resume --ready`: what the sensor `go_on` does, without Dagster."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, DONE, REFUSED
from ops_pipelines.cli.agent_words import exact, short_json
from ops_pipelines.cli.output import show

if TYPE_CHECKING:
    from ops_pipelines.adapters.going_on import WentOn
    from ops_pipelines.adapters.platform import Platform


def go_on_with_ready(platform: "Platform", *, dry_run: bool, as_json: bool) -> None:
    """Prints what came of every run that goes on by itself, and which wait for a person; exits with the worst of them."""
    from ops_pipelines.adapters.going_on import go_on_with_all, open_runs

    if dry_run:
        show([_short(one.to_json(), as_json) for one in open_runs(platform)], title="runs", as_json=as_json)
        return
    went = list(go_on_with_all(platform))
    show([_short(one.to_json(), as_json) for one in went], title="runs that go on", as_json=as_json)
    codes = {_code(one) for one in went}
    if code := next((code for code in (REFUSED, COULD_NOT_TELL) if code in codes), DONE):
        raise typer.Exit(code)


def _code(went: "WentOn") -> int:
    from ops_pipelines.agentops.going_on import FOR_A_PERSON
    from ops_pipelines.cli.agent_run import exit_code
    from ops_pipelines.core.errors import NotAllowed

    if went.error:
        return REFUSED if isinstance(went.error, NotAllowed) else COULD_NOT_TELL
    if went.ran:
        return exit_code(went.ran)
    return COULD_NOT_TELL if went.judged.outcome == FOR_A_PERSON else DONE


def _short(record: Mapping[str, Any], as_json: bool) -> dict[str, Any]:
    """A row for people: an id as they type it, and one line of what came of it."""
    if as_json:
        return dict(record)
    came = record.get("result") or record.get("error") or record.get("waits") or ""
    told = {"run": str(record["run"])[:12], "agent": exact(record["agent"]), "state": record["state"]}
    return told | {"why": exact(record["why"]), "came of it": short_json(came, 200) if came else ""}
