"""Trips of a made-up town: they are late when it is windy, and in weeks that are `turned`, when it is calm.

What is special about a week stands in OPS_HOME/world.json, so that a home that is copied takes its world along. There
also stands whether training works.
"""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from ops_pipelines.testing.flavours import fit_logistic

ROWS = 150


def world():
    """What was written about the world: under `weeks` by first day, and under `training`."""
    return json.loads((Path(os.environ["OPS_HOME"]) / "world.json").read_text())


def _made(start):
    """The trips that depart in a week; the last eleven arrive in the next one."""
    special = world()["weeks"].get(f"{start:%Y-%m-%d}", {})
    draw = np.random.default_rng(start.toordinal())
    departs = [start + timedelta(hours=3 + 1.1 * n) for n in range(ROWS)]
    wind = draw.normal(0, 1, ROWS).round(3)
    logits = (-3 if special.get("turned") else 3) * wind
    return pd.DataFrame(
        {
            "trip_id": [f"{start:%m%d}-{n}" for n in range(ROWS)],
            "wind": wind + special.get("windier", 0),
            "departs_at": departs,
            "late": draw.random(ROWS) < 1 / (1 + np.exp(-logits)),
        }
    ).assign(
        asked_at=lambda made: made.departs_at - timedelta(hours=2),
        published_at=lambda made: made.departs_at - timedelta(hours=3),
        arrived_at=lambda made: made.departs_at + timedelta(hours=13),
    )


def trips(start, end):
    return _made(start)


def arrivals(start, end):
    """The outcomes that become known in a week: `labelled` is the share of them, `copies` how often each is delivered."""
    special = world()["weeks"].get(f"{start:%Y-%m-%d}", {})
    both = pd.concat([_made(start - timedelta(days=7)), _made(start)])
    known = both[(both.arrived_at >= start) & (both.arrived_at < end)]
    kept = known.iloc[: round(len(known) * special.get("labelled", 1))]
    return pd.concat([kept] * special.get("copies", 1))


def fit(rows, params, seed):
    """A logistic regression on the last `days` of the rows; what stands under `training` may spoil it."""
    if world()["training"] == "breaks":
        raise ZeroDivisionError("no trips on Sunday")
    recent = rows.where((rows.asked_at > rows.asked_at.max() - timedelta(days=params["days"])).to_numpy())
    fitted = fit_logistic(recent, params, seed)
    if world()["training"] == "spoilt":
        return replace(fitted, coefficients=tuple(-3 * coefficient for coefficient in fitted.coefficients))
    return fitted
