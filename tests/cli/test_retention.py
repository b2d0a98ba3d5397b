import os

LONG_AGO = 1_600_000_000


def grow_old(home) -> None:
    for file in home.folder.rglob("*"):
        os.utime(file, (LONG_AGO, LONG_AGO))


def test_a_dry_run_says_what_would_go_and_why_and_touches_nothing(ops, home):
    home.release("first")
    orphan = home.platform.objects.put(b"nobody names me")
    grow_old(home)
    before = home.files()
    told = ops("retention", "--dry-run", "--json").json()
    assert [(row["what"], row["id"], row["why"]) for row in told["gone"]] == [("object", orphan, "nothing names it")]
    assert (told["dry_run"], told["freed_bytes"], told["stays"]) == (True, 15, {"object": 1})
    assert {name: held for name, held in home.files().items() if "control.db" not in name} == {
        name: held for name, held in before.items() if "control.db" not in name
    }


def test_old_weeks_go_and_the_parts_of_releases_stay(ops, home):
    first = home.release("first")
    home.publish("flights", "2013-02-05")
    grow_old(home)
    assert "1 of 2 things went" in ops("retention", "--keep-weeks", "5").out
    assert home.platform.lake.partitions("flights") == []
    assert ops("why", first[:8]).code == 0


def test_no_weeks_at_all_is_wrong_usage(ops, home):
    assert ops("retention", "--keep-weeks", "0").code == 2


def test_a_home_without_anything_loses_nothing(ops, home):
    assert ops("retention", "--json").json()["gone"] == []
