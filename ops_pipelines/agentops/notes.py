"""What a run notes of itself, beside what its program decides: how it ended, for what it waits, whose fork it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from ops_pipelines.agentops.recording import Live, Scope, Tape
from ops_pipelines.agentops.run_log import AGENT, DECISION, Step, has_own_id

FORK, WAITS, RESUMED, STARTED = "fork", "waits", "resumed", "started by"
TRIED, HINDERED = "tried to go on", "did not go on"
NOTES = (FORK, WAITS, RESUMED, STARTED, TRIED, HINDERED)
"""Of what other run it is a fork, for what it waits, that somebody resumes it, who started it; that it was about to go on
by itself, and why it did not. No replay makes any.
"""
RESULT, FAILURE = ENDS = ("result", "failure")
"""What the run came to, which a replay comes to as well."""
JOINED = "joined"
"""Stands as the decision of the step with which another process began to work for a run, at a gateway for choice."""
UNTRUSTED = "untrusted task"
"""Stands as the decision of the step with which an agent began whose task was written by strangers."""


def notebook(tape: Tape, agent: str, step: str, now: Callable[[], datetime], past: Sequence[Step] = ()) -> Scope:
    """By what a run notes something under one of its steps, wherever its program's answers come from.

    `past` are the steps that the run has already, whose places are taken.
    """
    live = Live(now)
    for one in past:
        if one.kind == DECISION:
            live.occurrences.reserve((one.parent, one.kind, one.name), one.occurrence)
    return Scope(replace(tape, source=live), agent, step)


def notes_in(steps: Sequence[Step], *names: str) -> tuple[Step, ...]:
    """What a run noted of itself under some names: decisions of its first agent by its release, and of nobody else."""
    first = next((step for step in steps if step.kind == AGENT and has_own_id(step)), None)
    kept = (step for step in steps if step.kind == DECISION and step.name in names and has_own_id(step))
    return tuple(step for step in kept if not first or (step.parent, step.release) == (first.id, first.release))
