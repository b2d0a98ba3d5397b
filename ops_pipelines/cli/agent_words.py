"""How runs, steps and calls are said to people: short where it is an overview, and exact where somebody decides by it."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops_pipelines.agentops.run_log import Step


def exact(value: Any) -> str:
    r"""All of a value as JSON, or of a text as it is, with what a terminal would not show written out as JSON does.

    The JSON of a call stays the JSON of that very call: two calls never look the same.

    >>> exact("refund\u202e A17")
    'refund\\u202e A17'
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


CUT = "…"
"""What a value ends with of which only the beginning is shown."""


def short_json(value: Any, most: int = 80) -> str:
    """The beginning of a value, in one line; empty for None."""
    text = "" if value is None else exact(value)
    return text if len(text) <= most else f"{text[: most - 1]}{CUT}"


def state_word(steps: "Sequence[Step]", now: datetime) -> str:
    """What has become of a run; `recorded` for one that no release of ours made, and that nobody here can go on with."""
    from ops_pipelines.agentops.run_state import STOPPED, state_of

    state = state_of(steps, now)
    return state if state != STOPPED or any(step.release for step in steps) else "recorded"


def dollars(steps: "Sequence[Step]") -> str:
    """What some steps cost: exact, at least so much where a price is missing, or unknown; empty where nothing was bought."""
    from ops_pipelines.agentops.trace_graph import cost_of
    from ops_pipelines.llmops.cost import from_nanos

    priced = [step for step in steps if step.nanos is not None]
    cost = cost_of(steps)
    known = f"${from_nanos(cost.nanos):f}" if priced else ""
    if cost.unpriced:
        return f"at least {known}, {cost.unpriced} unknown" if known else "unknown"
    return known


def span(took: timedelta) -> str:
    """How long something took.

    >>> [span(timedelta(seconds=each)) for each in (0.0004, 0.25, 75, 7300)]
    ['0.4 ms', '250 ms', '1 min 15 s', '2 h 1 min']
    """
    seconds = took.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds) // 60
    return f"{minutes} min {int(seconds) % 60} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def at(instant: datetime | None) -> str:
    """An instant, to the second; empty for none."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else ""
