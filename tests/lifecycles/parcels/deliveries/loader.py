"""What became of the parcels, in the week in which each was delivered."""

from datetime import datetime, timedelta

import pandas as pd
from acme.defs.parcels.loader import made


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The deliveries from `start` to `end`."""
    both = pd.concat([made(start - timedelta(weeks=1)), made(start)])
    return both[(both.delivered_at >= start) & (both.delivered_at < end)]
