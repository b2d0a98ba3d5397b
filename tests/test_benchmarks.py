"""What the benchmarks say, and that ours and the peers do the same job. Whether a bound holds is no test: times vary."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.__main__ import REGISTRY, main
from benchmarks.join import differing_cells, join_ours
from benchmarks.join_data import SERVICE, write_entities, write_views
from benchmarks.join_peers import join_by_polars
from benchmarks.processes import PeerError, measured
from benchmarks.rows import Row, at_most, at_most_times, exit_code, skipped, table, times_faster, void
from benchmarks.screen import ours_and_numpy
from benchmarks.screen_data import write_sides

ROOT = Path(__file__).parents[1]
GOOD, SLOW, ABSENT = at_most_times("joins, s", 1.0, 2.0, 3), at_most("memory, MB", 1500.0, 1000), skipped("far", "no")


def given(*rows: Row):
    return {"mlops": [("fake", lambda: iter(rows))]}


@pytest.mark.parametrize(
    ("rows", "code"),
    [((GOOD,), 0), ((GOOD, SLOW), 1), ((GOOD, ABSENT), 3), ((SLOW, ABSENT), 1), ((ABSENT,), 3), ((), 3)],
    ids=["all hold", "one fails", "one is skipped", "one fails and one is skipped", "all are skipped", "nothing"],
)
def test_only_claims_that_all_hold_exit_with_zero(rows, code, capsys):
    assert main(["mlops"], found=given(*rows)) == exit_code(rows) == code


@pytest.mark.parametrize("words", [[], ["nonsense"], ["mlops", "--fast"]])
def test_a_wrong_word_exits_with_two(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2


def test_json_is_one_list_of_rows_with_their_seven_fields(capsys):
    main(["mlops", "--json"], found=given(GOOD, ABSENT))
    good, absent = json.loads(capsys.readouterr().out)
    assert list(good) == ["name", "ours", "peer", "ratio", "bound", "holds", "note"]
    assert (good["ours"], good["peer"], good["ratio"], good["holds"]) == (1.0, 2.0, 0.5, True)
    assert (absent["ours"], absent["holds"], absent["note"]) == (None, None, "no")


def test_the_table_has_a_line_a_row_under_a_head_and_its_columns_stand_under_each_other():
    head, *lines = table([GOOD, SLOW, ABSENT]).splitlines()
    assert len(lines) == 3
    at = head.index("holds")
    assert [line[at:].split()[0] for line in lines] == ["yes", "NO", "skipped"]
    assert "1500" in lines[1]


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (at_most_times("", 3.0, 1.0, 3), True),
        (at_most_times("", 3.1, 1.0, 3), False),
        (times_faster("", 1.0, 20.0, 20), True),
        (times_faster("", 1.0, 19.9, 20), False),
        (at_most("", 1.2, 1.2), True),
        (at_most("", 1.3, 1.2), False),
        (void("", "ours <= 3 x peer", "2 cells differ"), False),
        (skipped("", "no polars"), None),
    ],
)
def test_a_bound_includes_its_limit_and_neither_a_void_nor_a_skipped_row_holds(row, holds):
    assert row.holds is holds


def test_a_part_or_a_peer_that_is_not_installed_is_a_skipped_row(capsys):
    def without_polars():
        yield GOOD
        raise ModuleNotFoundError("No module named 'polars'", name="polars")

    def broken():
        raise PeerError("Traceback\n  out of memory")
        yield

    found = {"mlops": [("join", without_polars), ("screen", broken)]}
    assert main(["mlops", "--json"], found=found) == 3
    _, absent, failed = json.loads(capsys.readouterr().out)
    assert (absent["name"], absent["holds"], absent["note"]) == ("join", None, "polars is not installed")
    assert (failed["name"], failed["holds"], failed["note"]) == ("screen", None, "out of memory")


@pytest.mark.parametrize("part", [*REGISTRY["mlops"], *REGISTRY["serving"]])
def test_each_part_can_be_measured_whole_and_quickly(part):
    module = import_module(f"benchmarks.{part}")
    assert callable(module.measure)
    assert callable(module.measure_quick)


def test_a_measured_process_tells_its_answer_its_time_and_its_memory():
    spent = measured("math:sqrt", 9.0)
    assert spent.answer == 3.0
    assert 0 < spent.cpu_seconds < 60
    assert 1 < spent.peak_mb < 1000


def test_a_measured_process_that_fails_says_why():
    with pytest.raises(PeerError, match=r"math:sqrt failed(.|\n)*ValueError"):
        measured("math:sqrt", -1.0)


def test_our_join_and_polars_answer_the_same_on_two_thousand_rows(tmp_path):
    sources = write_views(tmp_path, weeks=3)
    entities = pq.read_table(write_entities(tmp_path, 2000, weeks=3))
    ours, theirs = join_ours(entities, sources), join_by_polars(entities, sources).to_arrow()
    assert differing_cells(ours, theirs) == 0
    assert ours.column_names == [*entities.column_names, *SERVICE.features]
    assert all(0 < ours.column(name).null_count < 1000 for name in SERVICE.features)


def test_one_differing_cell_is_found_and_not_a_number_is_a_missing_value():
    ours = pa.table({"row": [1, 2, 3], "wind": [1.0, None, 3.0]})
    assert differing_cells(ours, pa.table({"row": [1, 2, 3], "wind": [1.0, float("nan"), 3.0]})) == 0
    assert differing_cells(ours, pa.table({"row": [1, 2, 3], "wind": [1.0, 2.0, 3.5]})) == 2
    assert differing_cells(ours, ours.slice(1)) == differing_cells(ours, ours.drop_columns("wind")) == 6


def test_our_screen_and_numpy_find_the_same_indices(tmp_path):
    found = ours_and_numpy(*write_sides(tmp_path, 5000))
    assert found["apart"] < 1e-3 < found["psi"]


SERVING = ("mlflow", "without a signature", "p99", "CPU", "by hand", "1 client", "8 clients", "worst", "failed", "mix")


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "claims"),
    [("mlops", ("polars", "Feast", "numpy", "memory", "Evidently", "Dagster")), ("serving", SERVING)],
)
def test_the_quick_run_measures_every_claim(name, claims):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "benchmarks", name, "--quick", "--json"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == len(claims)
    for row, claim in zip(rows, claims, strict=True):
        assert claim in row["name"]
        assert row["ours"] is not None, row
        assert row["holds"] is not None


@pytest.mark.long
def test_a_hundred_predictions_are_followed_to_the_raw_data_without_a_missing_link(monkeypatch):
    monkeypatch.delenv("OPS_HOME", raising=False)
    slowest, missing = import_module("benchmarks.lineage").measure()
    assert slowest.ours > 0
    assert (missing.ours, missing.holds) == (0, True)
