"""Ships that call at a made-up harbour, forty a day: late in a swell, and from the sixth week on in a calm."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

CHANGE = datetime(2013, 2, 5, tzinfo=UTC)
"""When the world changes."""


def _made(start):
    """The calls of a week, evenly spread over it; the last one berths in the next week."""
    draw = np.random.default_rng(start.toordinal())
    due = [start + timedelta(hours=0.6 * n) for n in range(279)] + [start + timedelta(days=7, minutes=-30)]
    swell = draw.normal(0, 1, 280).round(3)
    late = draw.random(280) < 1 / (1 + np.exp(-(3 if start < CHANGE else -3) * swell))
    calls = pd.DataFrame({"call_id": [f"{start:%m%d}-{n}" for n in range(280)], "swell": swell, "late": late})
    return calls.assign(
        due_at=due,
        asked_at=[at - timedelta(hours=2) for at in due],
        published_at=[at - timedelta(hours=26) for at in due],
        berthed_at=[at + timedelta(hours=1) for at in due],
    )


def calls(start, end):
    return _made(start)


def berthings(start, end):
    both = pd.concat([_made(start - timedelta(days=7)), _made(start)])
    return both[(both.berthed_at >= start) & (both.berthed_at < end)]
