"""What of a log lies in the lake: what is compacted again is added to it, and what lies there the log may forget."""

from typing import TYPE_CHECKING

from ops_pipelines.adapters.lake import Lake
from ops_pipelines.core.verdict import Passed

if TYPE_CHECKING:
    import pyarrow as pa


def compacted(lake: Lake, key: str, partition: str) -> "pa.Table":
    """What a partition was accepted with; a table without columns where nothing was."""
    import pyarrow as pa

    return lake.read(key, partition) if lake.good(key, partition) else pa.table({})


def compacted_ids(lake: Lake, key: str, partition: str, *, column: str) -> set[str]:
    """The ids of a partition that are in the lake; none where what was compacted last was refused.

    A compaction is refused where the log disagrees with the lake, and the log's rows are then the evidence.
    """
    latest = lake.latest(key, partition)
    if latest is None or not isinstance(latest.verdict, Passed):
        return set()
    return set(lake.read(key, partition).column(column).to_pylist())
