"""`ops agent diff`: where two runs part, why, and their steps side by side."""

from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_names import recording_named
from ops_pipelines.cli.agent_step_words import came_of, value_of
from ops_pipelines.cli.agent_words import CUT, exact, short_json
from ops_pipelines.cli.json_difference import NOTHING, differences
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.agentops.divergence import Divergence
    from ops_pipelines.agentops.run_log import Recording, Step

_BEFORE, _AFTER = 2, 8
"""How many steps are shown before and after the first difference."""
_PARTS, _CONTEXT = 5, 20
"""How many differing parts of a step are told, and how much of a text before it differs."""


def compare(
    first: Annotated[str, typer.Argument(help="The first digits of one run.")],
    second: Annotated[str, typer.Argument(help="The first digits of another.")],
    every: Annotated[bool, typer.Option("--all", help="All steps, and not only those around the difference.")] = False,
    as_json: AsJson = False,
) -> None:
    """The first difference between two runs and its cause, then their steps side by side. Exit 1 where they differ.

    Instants and drawn numbers are no differences, and neither is what a run notes of itself.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.divergence import first_divergence
    from ops_pipelines.agentops.replay import as_played
    from ops_pipelines.cli import REFUSED

    platform = Platform.embedded()
    runs = [recording_named(platform, digits) for digits in (first, second)]
    found = first_divergence(*runs)
    one, other = map(as_played, runs)
    if as_json:
        show([record_of(one, other, found)], as_json=True)
    else:
        print("\n".join(words_of(one, other, found)))
        rows = _side_by_side(one, other, found)
        if found or every:
            print()
            show(rows if every else _around(rows), title="side by side")
    if found:
        raise typer.Exit(REFUSED)


def words_of(one: "Recording", other: "Recording", found: "Divergence | None") -> list[str]:
    """Where two runs part, for people."""
    if found is None:
        return [f"{one.run[:12]} and {other.run[:12]} did the same"]
    where = f"at step {found.at}" if found.first else "at its end"
    lines = [f"{other.run[:12]} parts from {one.run[:12]} {where}: {exact(found.words)}", f"  cause: {found.cause}"]
    for recording, step in ((one, found.first), (other, found.second)):
        if step:
            given, came = short_json(value_of(recording, step.inputs), 300), came_of(recording, step)
            lines.append(f"  {recording.run[:12]}: {step.kind} {exact(step.name)} {given} -> {came}")
        else:
            lines.append(f"  {recording.run[:12]}: nothing there")
    if found.first and found.second and any(CUT in line for line in lines):
        lines += _differing(one, other, found.first, found.second)
    return lines


def _differing(one: "Recording", other: "Recording", first: "Step", second: "Step") -> list[str]:
    """Which parts of two steps differ whose lines are cut off before it shows."""
    pairs = ((first.inputs, second.inputs), (first.outputs, second.outputs))
    found = [each for mine, its in pairs for each in differences(value_of(one, mine), value_of(other, its))]
    shown = [f"  differs in {exact(at)}: {' | '.join(map(_part, _parted(*pair)))}" for at, *pair in found[:_PARTS]]
    return shown + ([f"  and in {len(found) - _PARTS} more places"] if len(found) > _PARTS else [])


def _parted(mine: Any, its: Any) -> tuple[Any, Any]:
    """Two values as they are; two texts from a little before they part."""
    if not (isinstance(mine, str) and isinstance(its, str)):
        return mine, its
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(mine, its, strict=False))) - _CONTEXT
    return (f"{CUT}{mine[same:]}", f"{CUT}{its[same:]}") if same > 0 else (mine, its)


def _part(value: Any) -> str:
    return "nothing" if value is NOTHING else short_json(value) or "null"


def record_of(one: "Recording", other: "Recording", found: "Divergence | None") -> dict[str, Any]:
    """The same for programs."""
    told = None
    if found:
        ids = {"first": found.first and found.first.id, "second": found.second and found.second.id}
        told = {"at": found.at, "cause": found.cause, "words": found.words, **ids}
    return {"first": one.run, "second": other.run, "same": found is None, "divergence": told}


def _side_by_side(one: "Recording", other: "Recording", found: "Divergence | None") -> list[dict[str, Any]]:
    """One row a place, in the order of the first run and then of what only the second has."""
    theirs = {step.id: step for step in other.steps}
    pairs: list[tuple[Step | None, Step | None]] = [(step, theirs.pop(step.id, None)) for step in one.steps]
    pairs += [(None, step) for step in theirs.values()]
    parted = {step.id for step in (found.first, found.second) if step} if found else set()
    return [
        {
            "": _mark(one, other, pair, parted),
            "step": number if pair[0] else "",
            one.run[:12]: _line(one, pair[0]),
            other.run[:12]: _line(other, pair[1]),
        }
        for number, pair in enumerate(pairs)
    ]


def _mark(one: "Recording", other: "Recording", pair: "tuple[Step | None, Step | None]", parted: set[str]) -> str:
    if any(step and step.id in parted for step in pair):
        return ">"
    return " " if _line(one, pair[0]) == _line(other, pair[1]) else "~"


def _line(recording: "Recording", step: "Step | None") -> str:
    if step is None:
        return ""
    given = short_json(value_of(recording, step.inputs), 60)
    return f"{step.kind} {exact(step.name)} {given} -> {came_of(recording, step)}"


def _around(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    at = next((number for number, row in enumerate(rows) if row[""] == ">"), 0)
    return rows[max(at - _BEFORE, 0) : at + _AFTER]
