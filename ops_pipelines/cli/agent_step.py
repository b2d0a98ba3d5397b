"""`ops agent step`: a replay one step at a time, in the terminal.

Enter takes the next step, p prints all of the last one, b N goes on to step N, c to the first step that failed or was
denied, and q ends it. Commands may be piped in; on a terminal that is not one, and without a pipe, all steps are printed.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_names import RunId, recording_named
from ops_pipelines.cli.agent_step_words import came_of, numbers_of, value_of, whole_step
from ops_pipelines.cli.agent_words import exact, short_json
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.agentops.run_log import Recording, Step

KEYS = "enter: next, p: print it all, b N: to step N, c: to the first failure, q: quit"


@dataclass(slots=True)
class _Walk:
    """A replay that is being stepped through: how far it may go on before it asks again."""

    recording: "Recording"
    numbers: dict[str, int]
    ask: Callable[[], str] | None
    until: Callable[[int, "Step"], bool] = field(default=lambda number, step: True)  # noqa: ARG005 at every step

    def stops_at(self, step: "Step") -> bool:
        """Whether to ask after this step; it goes on where nobody is there to be asked."""
        return self.ask is not None and self.until(self.numbers.get(step.id, -1), step)

    def asked(self, step: "Step") -> bool:
        """What to do after this step is asked for, until it is to go on (True) or to end (False)."""
        while True:
            word, _, rest = (self.ask() if self.ask else "").strip().partition(" ")
            if word == "q":
                return False
            if word == "p":
                print(_whole(self.recording, step))
                continue
            if (found := _until(word, rest)) is None:
                print(KEYS)
                continue
            self.until = found
            return True


def step_through(
    run: RunId,
    interactive: Annotated[
        bool | None, typer.Option("--ask/--no-ask", help="Ask after each step; on a terminal without this.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Step through a run again, with nothing outside touched. Exit 1 where the program takes other steps than then."""
    from ops_pipelines.adapters.agents import agent_of_run
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    recording = recording_named(platform, run)
    steps = agent_of_run(platform, recording).stepped(recording.run)
    if as_json:
        taken: list[Step] = []
        why = _walked(steps, taken.append)
        whole = [whole_step(recording, step) for step in taken]
        show([{"run": recording.run, "steps": whole, "diverged": why}], as_json=True)
    else:
        asks = sys.stdin.isatty() if interactive is None else interactive
        walk = _Walk(recording, numbers_of(recording), _line if asks else None)
        print(KEYS if asks else f"{recording.run[:12]}, step by step")
        why = _walked(steps, lambda step: _told(walk, step))
        _end(walk, why)
    _exit(recording, why)


def _exit(recording: "Recording", why: str) -> None:
    from ops_pipelines.agentops.run_state import has_ended
    from ops_pipelines.cli import REFUSED

    if why and has_ended(recording):
        raise typer.Exit(REFUSED)


def _walked(steps: Iterator["Step"], take: Callable[["Step"], Any]) -> str:
    """Hands each step on until that says False; why the replay went another way, empty where it did not."""
    from ops_pipelines.agentops.replay import ReplayDiverged

    try:
        for step in steps:
            if take(step) is False:
                break
    except ReplayDiverged as diverged:
        return diverged.wrong
    finally:
        steps.close()  # type: ignore[attr-defined]  a generator, whose program is ended with it
    return ""


def _told(walk: _Walk, step: "Step") -> bool:
    """Prints one step, and asks what next where it is to stop here; False to end."""
    number = walk.numbers.get(step.id, "")
    given = short_json(value_of(walk.recording, step.inputs))
    print(f"{number} {step.kind} {exact(step.name)} {given} -> {came_of(walk.recording, step)}")
    return walk.asked(step) if walk.stops_at(step) else True


def _until(word: str, rest: str) -> Callable[[int, "Step"], bool] | None:
    """When to stop next; None for what is no command."""
    if word == "":
        return lambda number, step: True  # noqa: ARG005  at the next one
    if word == "c":
        return lambda number, step: bool(step.error) or step.was_denied  # noqa: ARG005
    if word == "b" and rest.strip().isdigit():
        wanted = int(rest)
        return lambda number, step: number >= wanted  # noqa: ARG005
    return None


def _line() -> str:
    """What somebody types; q where nothing comes any more."""
    if sys.stdin.isatty():
        print("> ", end="", flush=True)
    line = sys.stdin.readline()
    return line if line else "q"


def _whole(recording: "Recording", step: "Step") -> str:
    import json

    return json.dumps(whole_step(recording, step), indent=2, ensure_ascii=True)


def _end(walk: _Walk, why: str) -> None:
    from ops_pipelines.agentops.run_state import waits_of

    if why:
        waits = waits_of(walk.recording)
        print(f"the recording ends here: {exact(why)}" + (f" (it waits: {waits[-1]['tool']})" if waits else ""))
