"""The lake: one Parquet file for each accepted partition of each asset, its record inside the file.

    lake/<asset>/<partition>/data.parquet      the last good content, with its Artefact in the file's metadata
    lake/<asset>/<partition>/refused.parquet   content that came later and was not passed, likewise
    lake/<asset>/<partition>/decision.json     what a person decided about a refused content

Data and record are one file, written aside and renamed, so that neither is ever seen without the other. Readers read
data.parquet only: what was refused reaches nobody, and the last good content stays.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.core.errors import DataError, NoAcceptedData
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.lineage import STATIC, Artefact, address
from ops_pipelines.core.verdict import Passed, name_of, reasons_of

if TYPE_CHECKING:
    import pyarrow as pa

_RECORD = b"ops.artefact"
_GOOD, _REFUSED, _DECISION = "data.parquet", "refused.parquet", "decision.json"


class Lake:
    """Published tables by asset key and partition, under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(self, table: "pa.Table", artefact: Artefact) -> Path:
        """Write a table with its record: as the good content where its verdict is Passed, else as the refused one."""
        import pyarrow.parquet as pq

        folder = self._folder(artefact.key, artefact.partition)
        good = isinstance(artefact.verdict, Passed)
        target = folder / (_GOOD if good else _REFUSED)
        stamped = table.replace_schema_metadata({_RECORD: canonical_json(artefact.to_json())})
        with written_aside(target) as aside:
            pq.write_table(stamped, aside, compression="zstd")
        if good:
            # A crash just before this line leaves the refused content in front: shut, and open after the next run.
            (folder / _REFUSED).unlink(missing_ok=True)
        return target

    def good(self, key: str, partition: str | None = None) -> Artefact | None:
        """The record of the last accepted content; None where none was ever accepted."""
        return _record(self.file(key, partition))

    def latest(self, key: str, partition: str | None = None) -> Artefact | None:
        """The record of what was written last, accepted or not; None where nothing was ever written."""
        return _record(self._folder(key, partition) / _REFUSED) or self.good(key, partition)

    def accepted(self, key: str, partition: str | None = None) -> Artefact:
        """The record of what was written last, where it passed; NoAcceptedData that says why where it did not."""
        latest = self.latest(key, partition)
        if latest is None or not isinstance(latest.verdict, Passed):
            raise self._nothing(key, partition)
        return latest

    def read(self, key: str, partition: str | None = None) -> "pa.Table":
        """The last accepted content; NoAcceptedData that says why where there is none."""
        import pyarrow.parquet as pq

        if self.good(key, partition) is None:
            raise self._nothing(key, partition)
        return pq.ParquetFile(self.file(key, partition)).read().replace_schema_metadata(None)

    def partitions(self, key: str) -> list[str]:
        """The partitions that have accepted content, in order."""
        folder = self.root / key
        return sorted(file.parent.name for file in folder.glob(f"*/{_GOOD}"))

    def is_written(self, key: str, partition: str | None = None) -> bool:
        """Whether anything was ever written there, accepted or not."""
        folder = self._folder(key, partition)
        return (folder / _GOOD).is_file() or (folder / _REFUSED).is_file()

    def is_static(self, key: str) -> bool:
        """Whether an asset was written as a whole, without partitions."""
        return (self.root / key / STATIC).is_dir()

    def file(self, key: str, partition: str | None = None) -> Path:
        """Where the accepted content of a partition lies, or would."""
        return self._folder(key, partition) / _GOOD

    def decide(self, key: str, partition: str | None, decision: dict[str, Any]) -> None:
        """Keep what a person decided about the content that was written last."""
        with written_aside(self._folder(key, partition) / _DECISION) as aside:
            aside.write_bytes(canonical_json(decision))

    def decision(self, key: str, partition: str | None = None) -> dict[str, Any] | None:
        """What a person decided about a partition; None where nobody did."""
        file = self._folder(key, partition) / _DECISION
        return json.loads(file.read_text()) if file.is_file() else None

    def _folder(self, key: str, partition: str | None) -> Path:
        return self.root / key / (partition or STATIC)

    def _nothing(self, key: str, partition: str | None) -> NoAcceptedData:
        refused = self.latest(key, partition)
        why = (
            f"was {name_of(refused.verdict)}: {'; '.join(reasons_of(refused.verdict))}"
            if refused
            else "was never written"
        )
        return NoAcceptedData(
            f"{address(key, partition)} {why}",
            expected="a partition whose verdict is passed",
            action=f"Materialize {key} again for {partition or 'the whole dataset'}",
            key=key,
            partition=partition,
        )


def _record(file: Path) -> Artefact | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.is_file():
        return None
    try:
        record = (pq.read_schema(file).metadata or {}).get(_RECORD)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{file} is not a whole Parquet file: {error}",
            expected="a file that the lake wrote",
            action="Delete this file and materialize the partition again",
            file=str(file),
        ) from error
    if record is None:
        raise DataError(
            f"{file} carries no record of how it was made",
            expected="a file that the lake wrote",
            action="Delete this file and materialize the partition again",
            file=str(file),
        )
    return Artefact.from_json(json.loads(record))
