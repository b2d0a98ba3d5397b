"""Parcels that a made-up carrier accepts, forty a day: heavy ones are late, and from 10 February on light ones."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

CHANGE = datetime(2025, 2, 10, tzinfo=UTC)
ROWS = 280


def made(start: datetime) -> pd.DataFrame:
    """The parcels of a week with what becomes of them; the same at every call."""
    draw = np.random.default_rng(start.toordinal())
    heavy = draw.normal(0, 1, ROWS)
    late = draw.random(ROWS) < 1 / (1 + np.exp(-3 * heavy if start < CHANGE else 3 * heavy))
    accepted = [start + timedelta(hours=0.6 * n) for n in range(ROWS)]
    return pd.DataFrame(
        {
            "parcel_id": [f"{start:%m%d}-{n}" for n in range(ROWS)],
            "weight": (12 + 2 * heavy + (0 if start < CHANGE else 6)).clip(0, 40).round(2),
            "stops": draw.integers(1, 10, ROWS),
            "remote": draw.random(ROWS) < 0.3,
            "late": late,
            "accepted_at": accepted,
            "asked_at": [at - timedelta(minutes=5) for at in accepted],
            "published_at": [at - timedelta(hours=1) for at in accepted],
            "delivered_at": [at + timedelta(hours=8) for at in accepted],
        }
    )


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The parcels accepted from `start` to `end`."""
    return made(start)
