"""Nothing downstream fires on what was rejected: in the same run, in another run, and in another code location."""

import os
import signal
import subprocess
import sys

import dagster as dg
import pytest

from ops_pipelines.adapters.files import leftovers
from ops_pipelines.core.errors import NoAcceptedData
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of

REFUSED = "1 blocking asset check failed"


# in another run, in the same location and in another one


def test_bad_weeks_stay_shut_whether_a_good_week_follows_or_went_before(weekly_shop):
    w0, w1, w2, _ = weekly_shop.weeks
    for week, values in zip((w0, w1, w2), (weekly_shop.bad, weekly_shop.good, weekly_shop.bad), strict=True):
        weekly_shop.arrive(week, values)
    assert weekly_shop.settle() == {("copy", w1): 1}  # and no rolling: each window holds a bad week


def test_a_window_with_a_bad_week_is_shut_until_the_week_slides_out_or_is_repaired(weekly_shop):
    w0, w1, w2, w3 = weekly_shop.weeks
    for week in weekly_shop.weeks:
        weekly_shop.arrive(week, weekly_shop.bad if week == w1 else weekly_shop.good)
    assert {week for asset, week in weekly_shop.settle() if asset == "rolling"} == {w0, w3}
    weekly_shop.arrive(w1)
    assert weekly_shop.settle() == {("copy", w1): 1, ("rolling", w1): 1, ("rolling", w2): 1}


def test_an_asset_without_partitions_wakes_once_when_every_week_has_passed_and_not_when_one_turns_bad(whole_shop):
    w1 = whole_shop.weeks[1]
    for week in whole_shop.weeks:
        whole_shop.arrive(week, whole_shop.bad if week == w1 else whole_shop.good)
    assert not whole_shop.settle()
    whole_shop.arrive(w1)
    assert whole_shop.settle() == {("report", None): 1}
    whole_shop.arrive(w1, whole_shop.bad)
    assert not whole_shop.settle()


def test_a_week_whose_check_never_ran_wakes_nothing(weekly_shop):
    first, second, *_ = weekly_shop.weeks
    weekly_shop.daemon.instance.report_runless_asset_event(dg.AssetMaterialization("sales", partition=first))
    weekly_shop.arrive(second)
    assert weekly_shop.settle() == {("copy", second): 1}


def test_a_week_written_again_without_a_check_does_not_live_on_its_old_verdict(shop):
    first = shop.weeks[0]
    shop.arrive(first)
    shop.settle()
    shop.daemon.instance.report_runless_asset_event(dg.AssetMaterialization("sales", partition=first))
    assert not shop.settle()


def test_a_loader_that_dies_before_its_check_wakes_nothing_and_the_last_good_week_stays(shop):
    first = shop.weeks[0]
    shop.arrive(first)
    shop.settle()
    before = shop.platform.lake.file("sales", first).read_bytes()
    shop.source(first).unlink()
    run = shop.daemon.run_job(shop.upstream, "arrivals", partition_key=first)
    assert "FileNotFoundError" in run.error
    assert not shop.settle()
    assert shop.platform.lake.file("sales", first).read_bytes() == before


def test_a_week_that_fails_and_then_passes_wakes_downstream_exactly_once(shop):
    first = shop.weeks[0]
    shop.arrive(first, shop.bad)
    assert not shop.settle()
    shop.arrive(first)
    assert shop.settle() == {("copy", first): 1, ("rolling", first): 1}  # its last look asks for nothing more


def test_a_week_that_fails_and_passes_between_two_looks_wakes_downstream_exactly_once(shop):
    shop.arrive(shop.weeks[0], shop.bad)
    shop.arrive(shop.weeks[0])
    assert shop.settle() == {("copy", shop.weeks[0]): 1, ("rolling", shop.weeks[0]): 1}


# in the same run


def test_in_one_run_bad_weeks_stop_what_follows_and_the_good_week_between_them_does_not(shop):
    w0, w1, w2, _ = shop.weeks
    assert REFUSED in shop.run_everything(w0, shop.bad).error
    shop.run_everything(w1)
    assert REFUSED in shop.run_everything(w2, shop.bad).error
    assert (shop.made("copy"), shop.made("rolling")) == ({w1}, set())
    assert shop.platform.lake.latest("copy", w0) is shop.platform.lake.latest("copy", w2) is None  # not even started


def test_in_one_run_a_window_that_holds_a_bad_week_is_refused_by_what_it_reads(shop):
    w0, w1, w2, w3 = shop.weeks
    for week in shop.weeks:
        shop.run_everything(week, shop.bad if week == w1 else shop.good)
    assert (shop.made("copy"), shop.made("rolling")) == ({w0, w2, w3}, {w0, w3})
    (reason,) = reasons_of(shop.platform.lake.latest("rolling", w2).verdict)
    assert f"sales@{w1}" in reason


def test_in_one_run_a_bad_week_stops_the_asset_without_partitions(open_shop):
    counter = open_shop("counter")
    counter.run_everything(counter.weeks[0], counter.bad)
    assert counter.daemon.instance.get_latest_materialization_event(dg.AssetKey("report")) is None


def test_in_one_run_a_check_that_never_ran_stops_what_follows(shop):
    run = shop.daemon.run_job("shop", "everything", partition_key=shop.weeks[0])  # nothing was delivered
    assert "FileNotFoundError" in run.error
    assert shop.platform.lake.latest("copy", shop.weeks[0]) is None


# by hand, past all automation


def test_who_asks_by_hand_for_what_follows_a_bad_week_gets_a_failed_check_and_no_data(weekly_shop):
    first = weekly_shop.weeks[0]
    weekly_shop.arrive(first, weekly_shop.bad)
    assert REFUSED in weekly_shop.ask_for("copy", first).error
    verdict = weekly_shop.platform.lake.latest("copy", first).verdict
    assert isinstance(verdict, Blocked)
    assert f"ops data accept|exclude sales {first}" in verdict.reasons[0]
    with pytest.raises(NoAcceptedData, match=f"copy@{first} was blocked: sales@{first}"):
        weekly_shop.platform.lake.read("copy", first)


def test_who_asks_by_hand_for_what_follows_a_missing_week_gets_no_data_either(shop):
    assert REFUSED in shop.ask_for("rolling", shop.weeks[0]).error
    verdict = shop.platform.lake.latest("rolling", shop.weeks[0]).verdict
    assert verdict == NotEvaluated(f"sales@{shop.weeks[0]} was never written")


def test_after_a_refusal_the_last_good_content_stays_and_is_not_passed_on(shop):
    first, lake = shop.weeks[0], shop.platform.lake
    shop.arrive(first)
    before = lake.file("sales", first).read_bytes()
    shop.arrive(first, shop.bad)
    assert lake.file("sales", first).read_bytes() == before
    assert lake.read("sales", first).column("value").to_pylist() == list(shop.good)
    assert REFUSED in shop.ask_for("copy", first).error


# what a person rules


def test_an_accepted_week_comes_in_when_it_is_loaded_again_and_only_with_that_content(shop):
    first = shop.weeks[0]
    shop.arrive(first, shop.bad)
    shop.rule("accept", first, "a real price, says the shop")
    assert REFUSED in shop.arrive(first, (1.0, 2.0, 901.0)).error
    assert shop.arrive(first, shop.bad).status == "SUCCESS"
    assert shop.settle() == {("copy", first): 1, ("rolling", first): 1}
    verdict = shop.platform.lake.good("sales", first).verdict
    assert isinstance(verdict, Passed)
    assert verdict.evidence["because"] == "a real price, says the shop"
    assert "900" in verdict.evidence["despite"][0]


def test_an_excluded_week_is_left_out_of_the_window_and_of_its_inputs(shop):
    first, second, *_ = shop.weeks
    shop.arrive(first, shop.bad)
    shop.arrive(second)
    shop.rule("exclude", first, "the till was broken")
    assert shop.ask_for("rolling", second).status == "SUCCESS"
    rolling = shop.platform.lake.good("rolling", second)
    assert list(rolling.inputs) == [f"sales@{second}"]
    assert rolling.facts["excluded"] == {f"sales@{first}": "ann: the till was broken"}


def test_an_excluded_week_that_is_repaired_is_read_again(shop):
    first, second, *_ = shop.weeks
    shop.arrive(first, shop.bad)
    shop.rule("exclude", first, "the till was broken")
    shop.arrive(first)
    shop.arrive(second)
    shop.ask_for("rolling", second)
    assert list(shop.platform.lake.good("rolling", second).inputs) == [f"sales@{first}", f"sales@{second}"]


# what a killed process leaves behind


def test_a_run_that_is_killed_in_its_loader_leaves_nothing_and_the_next_one_succeeds(shop):
    code = "import shop_location as s, dagster as dg; platform = s.defs.resources['platform']\n"
    code += (
        "dg.materialize([s.defs.get_assets_def('sales')], partition_key='2013-01-01', resources={'platform': platform})"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths, "SHOP_DIES": "yes"}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not list(shop.platform.lake.root.rglob("*.parquet"))
    assert shop.arrive("2013-01-01").status == "SUCCESS"


def test_half_a_file_of_a_killed_writer_is_never_seen(shop):
    lake, week = shop.platform.lake, shop.weeks[0]
    shop.arrive(week)
    before = lake.file("sales", week).read_bytes()
    code = "import os, sys; from pathlib import Path; from ops_pipelines.adapters.files import written_aside\n"
    code += "for name in sys.argv[1:]:\n"
    code += "  with written_aside(Path(name)) as aside:\n    aside.write_bytes(b'PAR1 half'); os.kill(os.getpid(), 9)"
    targets = [str(lake.file("sales", week)), str(lake.file("sales", shop.weeks[1]))]
    for target in targets:
        subprocess.run([sys.executable, "-c", code, target], check=False)
    assert len(list(leftovers(lake.root))) == 2
    assert lake.partitions("sales") == [week]
    assert lake.file("sales", week).read_bytes() == before
    assert lake.latest("sales", shop.weeks[1]) is None
    assert lake.latest("sales", week).digest == lake.good("sales", week).digest
