"""Runs by the names that they have: the first digits of an id, as people type them, and what their gates call them.

The gate of an agent that was handed work by another calls its run `RUN/STEP`, by the step in which that agent began.
"""

from datetime import UTC, datetime

from ops_pipelines.agentops.run_log import AGENT, Recording, RunFilter, RunLog
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import ConfigError, near_miss

ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
"""A window that every run began in."""


def run_named(log: RunLog, digits: str) -> str:
    """The id of the one run that begins so; ConfigError for none, which names the nearest of the latest, and for several."""
    found = [one.run for one in log.runs(ALWAYS, RunFilter(digits=digits), limit=9)] if digits else []
    if len(found) == 1 or digits in found:
        return digits if digits in found else found[0]
    latest = [one.run for one in log.runs(ALWAYS)]
    near = near_miss(digits, latest) if not found else f"They are {', '.join(found)}."
    raise ConfigError(
        f"{'No' if not found else 'More than one'} run begins with {digits!r}",
        expected="the first digits of exactly one run",
        action=f"{near if near.endswith('?') or found else ''} `ops agent runs` lists them".strip(),
        run=digits,
    )


def run_of(name: str) -> str:
    """The run in the log that a gate's run is, or is a part of.

    >>> run_of("4bf92f35/00f067aa")
    '4bf92f35'
    """
    return name.partition("/")[0]


def gate_runs(recording: Recording) -> tuple[str, ...]:
    """What the gates of a run call it: the run itself first, then one name for each agent that was handed work."""
    names: dict[str, str] = {}
    for step in recording.steps:
        if step.kind == AGENT:
            above = names.get(step.parent)
            names[step.id] = f"{above}/{step.id}" if above else recording.run
    return tuple(dict.fromkeys([recording.run, *names.values()]))
