"""D8: a run is killed in the middle of its write; another one is given up for dead and writes late all the same.

Both are processes of their own: one gets a SIGKILL while its file grows, the other computes its rows, hangs until the run
that took its place has written, and then goes on. This module is also what they run:
`python -m ops_pipelines.apps.drills.killed_writer (plain|lake) FOLDER RUN ROWS [BEGAN]`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    import pyarrow as pa

GOOD_ROWS, MANY_ROWS, COLUMNS = 1_000, 300_000, 20
HANGS = "hangs"
"""The run that computes its rows and waits for a line on its standard input before it writes them."""
NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)
PATIENCE_SECONDS = 60


def unguarded(folder: Path) -> Outcome:
    """`pq.write_table(table, target)`, straight to where readers read."""
    read = _reader_of(folder / "data.parquet")
    _run("plain", folder, "good", GOOD_ROWS)
    before = read()
    _kill_while_it_writes(folder, _start("plain", folder, "killed", MANY_ROWS))
    after_kill = read()
    orphan = _start("plain", folder, HANGS, GOOD_ROWS)
    _run("plain", folder, "newer", GOOD_ROWS)
    _let_go_on(orphan)
    after_orphan = read()
    return Outcome(
        harmed=before == "good" and after_kill.startswith("broken") and after_orphan == HANGS,
        caught=False,
        reason=f"after the kill the file is {after_kill}; after the late write it is of the older run",
        evidence={"before": before, "after_kill": after_kill, "after_late_write": after_orphan},
    )


def guarded(folder: Path) -> Outcome:
    """The same through the lake: written aside and renamed, and the run that began last wins."""
    from ops_pipelines.adapters.files import leftovers
    from ops_pipelines.adapters.lake import Lake

    published = Lake(folder).file("rows")
    read = _reader_of(published)
    _run("lake", folder, "good", GOOD_ROWS, minute=0)
    before, content = read(), published.read_bytes()
    _kill_while_it_writes(folder, _start("lake", folder, "killed", MANY_ROWS, minute=1))
    whole, aside = published.read_bytes() == content, len(list(leftovers(folder)))
    orphan = _start("lake", folder, HANGS, GOOD_ROWS, minute=2)
    _run("lake", folder, "newer", GOOD_ROWS, minute=3)
    reason, after = _let_go_on(orphan), read()
    unharmed = before == "good" and whole and after == "newer"
    return Outcome(
        harmed=not unharmed,
        caught=unharmed and aside == 1 and bool(reason),
        reason=reason,
        evidence={"before": before, "whole_after_kill": whole, "left_aside": aside, "after_late_write": after},
    )


DRILL = Drill(
    number="D8",
    name="killed writer",
    incident="kill -9 leaves half a file, and a run that was given up for dead writes over the newer one",
    source="dagster#17403",
    names="its late write is refused",
    unguarded=unguarded,
    guarded=guarded,
)


def _start(how: str, folder: Path, run: str, rows: int, *, minute: int = 0) -> subprocess.Popen[str]:
    """A writer as a process of its own; the one that hangs is there and has its rows when this returns."""
    began = (NOON + timedelta(minutes=minute)).isoformat()
    command = [sys.executable, "-m", __name__, how, str(folder), run, str(rows), began]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **pipes)
    if run == HANGS and process.stdout:
        process.stdout.readline()
    return process


def _run(how: str, folder: Path, run: str, rows: int, *, minute: int = 0) -> None:
    """A writer that ends well; RuntimeError with what it said where it does not."""
    process = _start(how, folder, run, rows, minute=minute)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    if process.returncode:
        raise RuntimeError(f"the run {run!r} failed: {said}")


def _let_go_on(process: subprocess.Popen[str]) -> str:
    """The orphan writes what it has; the last line of what it said where it could not."""
    _, said = process.communicate("go on\n", timeout=PATIENCE_SECONDS)
    return said.strip().splitlines()[-1] if process.returncode else ""


def _kill_while_it_writes(folder: Path, process: subprocess.Popen[str]) -> None:
    """SIGKILL as soon as a file of this writer holds some of its rows and not all; RuntimeError where it was faster."""
    partly, patience = MANY_ROWS * COLUMNS, time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < patience:
        sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        if any(size > partly for size in sizes):
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError("the writer was done before it could be killed")


def _reader_of(file: Path) -> Callable[[], str]:
    """Reads whose rows lie in a file, or how it is broken."""

    def read() -> str:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            runs = set(pq.ParquetFile(file).read(columns=["run"]).column("run").to_pylist())
        except (pa.ArrowInvalid, OSError) as error:
            return f"broken: {str(error).splitlines()[0]}"
        return ", ".join(sorted(runs))

    return read


def _write(how: str, folder: Path, run: str, rows: int, began: datetime) -> None:
    """What a writer process does."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if rows == MANY_ROWS:
        os.nice(15)  # on a busy machine whoever is to kill it must not come too late
    draw = np.random.default_rng(rows)
    numbers = {f"column_{number}": draw.random(rows) for number in range(COLUMNS)}
    table = pa.table({**numbers, "run": pa.array([run] * rows)})
    if run == HANGS:
        sys.stdout.write("has its rows\n")
        sys.stdout.flush()
        sys.stdin.readline()
    if how == "plain":
        pq.write_table(table, folder / "data.parquet", row_group_size=10_000)
    else:
        _publish(folder, table, run, began)


def _publish(folder: Path, table: "pa.Table", run: str, began: datetime) -> None:
    from ops_pipelines.adapters.lake import Lake
    from ops_pipelines.core.lineage import STATIC, Artefact, Origin
    from ops_pipelines.core.verdict import Passed

    made = Artefact("rows", STATIC, run, Passed(), {}, Origin(run, "no-git", "drill", datetime.now(UTC)))
    Lake(folder).publish(table, made, began=began)


if __name__ == "__main__":
    _write(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), datetime.fromisoformat(sys.argv[5]))
