"""Which online answers of a week lie in the lake, so that the log may forget them."""

from ops_pipelines.adapters.lake import Lake
from ops_pipelines.core.verdict import Passed
from ops_pipelines.mlops.served import ID, SERVED


def compacted_ids(lake: Lake, system: str, week: str) -> set[str]:
    """The prediction ids of a week that are in the lake; none where what was compacted last was refused.

    A compaction is refused where the log disagrees with the lake, and the log's rows are then the evidence.
    """
    key = f"{system}/{SERVED}"
    latest = lake.latest(key, week)
    if latest is None or not isinstance(latest.verdict, Passed):
        return set()
    return set(lake.read(key, week).column(ID).to_pylist())
