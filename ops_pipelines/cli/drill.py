"""`ops drill list|run`: public incidents, done to an unguarded pipeline and refused by this one."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import DONE, REFUSED
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.apps.drills import Drill, Result

app = typer.Typer()
drill = typer.Typer(help="list or run: re-enacted incidents.", no_args_is_help=True, suggest_commands=False)
app.add_typer(drill, name="drill")
Numbers = Annotated[list[str] | None, typer.Argument(help="Which, for instance D2 D4; all of them without.")]


@app.callback()
def _family() -> None:
    pass


@drill.command("list")
def list_drills(as_json: AsJson = False) -> None:
    """List the incidents, and what the guard has to say for each to hold."""
    from ops_pipelines.apps.drills import DRILLS

    rows = [
        {"drill": d.number, "name": d.name, "incident": d.incident, "source": d.source, "guard says": d.names}
        for d in DRILLS
    ]
    show(rows, title="drills", as_json=as_json)


@drill.command("run")
def run(numbers: Numbers = None, as_json: AsJson = False) -> None:
    """Run drills. Exit 0 where each harm was done unguarded and refused, with the named reason, guarded; else 1."""
    results = [result for chosen in _chosen(numbers or []) for result in _results(chosen)]
    rows = [result.to_json() if as_json else _words(result) for result in results]
    show(rows, title="drills", as_json=as_json)
    raise typer.Exit(exit_code(results))


def exit_code(results: "Sequence[Result]") -> int:
    """0 where every harm was done unguarded and refused, with its named reason, guarded; 1 where one was not, or for none."""
    return DONE if results and all(result.holds for result in results) else REFUSED


def _chosen(numbers: list[str]) -> "list[Drill]":
    """The drills of some numbers, all without; ConfigError with a near miss for one that is not there."""
    from ops_pipelines.apps.drills import DRILLS
    from ops_pipelines.core.errors import ConfigError, near_miss

    known = {one.number: one for one in DRILLS}
    for number in numbers:
        if number.upper() not in known:
            raise ConfigError(
                f"There is no drill {number!r}",
                expected=f"some of {', '.join(known)}",
                action=near_miss(number.upper(), known),
                drill=number,
            )
    return [known[number] for number in dict.fromkeys(map(str.upper, numbers))] or list(DRILLS)


def _results(chosen: "Drill") -> "Iterator[Result]":
    """What both variants of a drill came to; on a terminal it is said which one runs, since some take ten seconds."""
    from ops_pipelines.apps.drills import run_drill

    if sys.stderr.isatty():
        print(f"{chosen.number} {chosen.name} …", file=sys.stderr)
    yield from run_drill(chosen)


def _words(result: "Result") -> dict[str, Any]:
    outcome = result.outcome
    came_to = "harm done" if outcome.harmed else "caught" if outcome.caught else "neither"
    return {
        "drill": result.drill.number,
        "name": result.drill.name,
        "variant": result.variant,
        "holds": "yes" if result.holds else "NO",
        "what": came_to,
        "why": outcome.reason,
        "seconds": f"{result.seconds:.1f}",
    }
