"""Which rows of a log lie in the lake, so that the log may forget them."""

from ops_pipelines.adapters.lake import Lake
from ops_pipelines.core.verdict import Passed


def compacted_ids(lake: Lake, key: str, partition: str, *, column: str) -> set[str]:
    """The ids of a partition that are in the lake; none where what was compacted last was refused.

    A compaction is refused where the log disagrees with the lake, and the log's rows are then the evidence.
    """
    latest = lake.latest(key, partition)
    if latest is None or not isinstance(latest.verdict, Passed):
        return set()
    return set(lake.read(key, partition).column(column).to_pylist())
