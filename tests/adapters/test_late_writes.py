"""Of the runs that write one partition, the one that began last wins, whoever writes first."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pyarrow as pa
import pytest

from ops_pipelines.adapters.lake import Lake
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)
WEEK = "2013-01-01"


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path)


def write(lake: Lake, run: str, *, minute: int | None = None, verdict: Verdict | None = None, week: str = WEEK) -> None:
    origin = Origin(run, "no-git", "code", NOON + timedelta(hours=1))
    began = None if minute is None else NOON + timedelta(minutes=minute)
    lake.publish(
        pa.table({"run": [run]}), Artefact("landings", week, run, verdict or Passed(), {}, origin), began=began
    )


def live(lake: Lake) -> list[str]:
    return lake.read("landings", WEEK).column("run").to_pylist()


def test_a_late_write_is_refused_and_what_lies_there_stays_byte_for_byte(lake):
    write(lake, "newer", minute=5)
    content = lake.file("landings", WEEK).read_bytes()
    with pytest.raises(DataError, match=r"began at 2013-01-01 12:05:00, and run older began before it") as refused:
        write(lake, "older", minute=1)
    assert refused.value.facts == {"address": "landings@2013-01-01", "run": "older"}
    assert lake.file("landings", WEEK).read_bytes() == content
    assert [file.name for file in (lake.root / "landings" / WEEK).iterdir()] == ["data.parquet"]


def test_the_run_that_began_last_wins_over_an_orphan_that_wrote_before_it(lake):
    write(lake, "older", minute=1)
    write(lake, "newer", minute=5)
    assert live(lake) == ["newer"]


def test_a_run_may_write_its_own_partition_again(lake):
    for _ in range(2):
        write(lake, "same", minute=5)
    assert live(lake) == ["same"]


def test_what_a_later_run_refused_holds_a_late_write_off_as_well(lake):
    write(lake, "good", minute=1)
    write(lake, "newer", minute=5, verdict=Blocked(("two keys are one",)))
    with pytest.raises(DataError, match="late write is refused"):
        write(lake, "older", minute=2)
    assert lake.latest("landings", WEEK).origin.run_id == "newer"
    assert live(lake) == ["good"]


def test_other_partitions_know_nothing_of_it(lake):
    write(lake, "newer", minute=5)
    write(lake, "older", minute=1, week="2013-01-08")
    assert lake.partitions("landings") == [WEEK, "2013-01-08"]


def test_nothing_is_compared_where_nobody_says_when_the_run_began(lake):
    write(lake, "newer", minute=5)
    write(lake, "by hand")
    write(lake, "older", minute=1)
    assert live(lake) == ["older"]


def test_of_writers_at_once_the_one_that_began_last_stays(lake):
    start = Barrier(6)

    def attempt(minute: int) -> bool:
        start.wait()
        try:
            write(lake, f"run-{minute}", minute=minute)
        except DataError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        written = list(pool.map(attempt, range(6)))
    assert written[-1]
    assert live(lake) == ["run-5"]
