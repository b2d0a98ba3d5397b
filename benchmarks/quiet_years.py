"""Years in which nothing drifts: the flights of the real one, dealt out anew over its weeks."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.flights_year import YEAR
from benchmarks.scored_year import WEEK
from ops_pipelines.mlops.training import ASKED_AT, KNOWN_AT

if TYPE_CHECKING:
    import pandas as pd


def deal_rows(frame: "pd.DataFrame", seed: int) -> "pd.DataFrame":
    """The rows of a year, each at the instant of another: with its own features, label, and time until that is known."""
    import numpy as np

    places = np.random.default_rng(seed).permutation(len(frame))
    asked_at = frame[ASKED_AT].iloc[places].set_axis(frame.index)
    known_at = asked_at + (frame[KNOWN_AT] - frame[ASKED_AT])
    dealt: dict[str, Any] = {ASKED_AT: asked_at, KNOWN_AT: known_at, WEEK: frame[WEEK].to_numpy()[places]}
    return frame.assign(**dealt)


def deal_days(frame: "pd.DataFrame", seed: int) -> "pd.DataFrame":
    """The days of a year in another order, each with all its rows and their hours.

    What is asked before its week begins is of the week's first day, as the platform has it.
    """
    import numpy as np
    import pandas as pd

    weeks = frame[WEEK].to_numpy()
    day = np.maximum(((frame[ASKED_AT] - YEAR) // timedelta(days=1)).to_numpy(), weeks * 7)
    dealt = np.random.default_rng(seed).permutation((weeks.max() + 1) * 7)[day]
    moved = pd.Series(pd.to_timedelta(dealt - day, unit="D"), index=frame.index)
    return frame.assign(**{ASKED_AT: frame[ASKED_AT] + moved, KNOWN_AT: frame[KNOWN_AT] + moved, WEEK: dealt // 7})
