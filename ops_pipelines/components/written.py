"""What was written of some assets since a sensor looked last."""

from collections.abc import Mapping

import dagster as dg

_AT_ONCE = 100
"""How many records of an asset one look takes in; the next look goes on from there."""


def written_since(
    instance: dg.DagsterInstance, watched: Mapping[str, dg.AssetKey], read: Mapping[str, int]
) -> tuple[set[tuple[str, str]], dict[str, int]]:
    """The partitions that were written since, each with the name of its asset, and how far each asset is read now.

    `read` holds the storage id of the record that was read last, by the same names; nothing for what was never read.
    """
    written, now_read = set(), dict(read)
    for name, key in watched.items():
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, after_storage_id=read.get(name)), limit=_AT_ONCE, ascending=True
        ).records
        written |= {(name, str(record.partition_key)) for record in records}
        now_read |= {name: records[-1].storage_id} if records else {}
    return written, now_read
