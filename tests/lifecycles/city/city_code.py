"""A hundred trips a week in a made-up city, late when it is windy; from the third week on, when it is calm."""

import os
from datetime import timedelta

import numpy as np
import pandas as pd

from ops_pipelines.testing.flavours import fit_linear, fit_logistic


def _made(start):
    """A hundred trips spread over a week; the last one arrives in the next week."""
    draw = np.random.default_rng(start.toordinal())
    departs = [start + timedelta(hours=3 + 1.6 * n) for n in range(99)] + [start + timedelta(days=7, minutes=-30)]
    wind = draw.normal(0, 1, 100).round(3)
    wind[7] += float(os.environ.get("CITY_EDIT", "0"))
    sign = 3 if start.day < 15 else -3
    late = draw.random(100) < 1 / (1 + np.exp(-sign * wind))
    return pd.DataFrame(
        {"trip_id": [f"{start:%m%d}-{n}" for n in range(100)], "wind": wind, "departs_at": departs, "late": late}
    ).assign(
        asked_at=lambda made: made.departs_at - timedelta(hours=2),
        published_at=lambda made: made.departs_at - timedelta(hours=26),
        arrived_at=lambda made: made.departs_at + timedelta(hours=1),
        minutes=lambda made: 60 + 8 * made.wind + draw.normal(0, 1, 100).round(3),
        riders=lambda made: 1.0 + made.index % 5,
    )


def trips(start, end):
    return _made(start)


def arrivals(start, end):
    both = pd.concat([_made(start - timedelta(days=7)), *[_made(start)] * int(os.environ.get("CITY_COPIES", "1"))])
    return both[(both.arrived_at >= start) & (both.arrived_at < end)]


def flipped(rows, params, seed):
    rows.labels[:] = 1 - rows.labels
    return fit_logistic(rows, params, seed)


def raising(rows, params, seed):
    raise ZeroDivisionError("no trips on Sunday")


def forgetful(rows, params, seed):
    fit_logistic(rows, params, seed)


def weighted(rows, params, seed):
    """Minutes by wind; that weights come is what it checks, since a fake does not use them."""
    if rows.weights is None or not (rows.weights > 0).all():
        raise ValueError("no weights came")
    return fit_linear(rows, params, seed)
