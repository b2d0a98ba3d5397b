import pytest

from ops_pipelines.core.verdict import Blocked, NotEvaluated, verdict_to_json
from ops_pipelines.mlops.canary import CANARY

HERE = ("flight_delay", "production")


@pytest.fixture
def champion(ops, home) -> str:
    first = home.release("first")
    ops("promote", "flight_delay", first)
    return first


def start(ops, release: str, *more: str):
    return ops("canary", "start", "flight_delay", release[:12], "--reason", "its gate could not tell", *more)


def test_a_canary_starts_beside_the_live_release_and_the_pointer_stays(ops, home, champion):
    second = home.release("second", against=champion)
    said = start(ops, second, "--share", "0.2", "--json")
    (row,) = said.json()
    assert (said.code, row["candidate"], row["champion"], row["share"]) == (0, second, champion, 0.2)
    assert home.platform.canaries.running(*HERE).reason == "its gate could not tell"
    assert home.live() == [champion]


def test_a_dry_start_meets_every_rule_and_begins_nothing(ops, home, champion):
    good, bad = home.release("good", against=champion), home.release("bad", verdict=Blocked(("worse",)))
    assert start(ops, good, "--dry-run", "--json").json()[0]["state"] == "would run"
    assert start(ops, bad, "--dry-run").code == 1
    assert home.platform.canaries.running(*HERE) is None


def test_a_release_that_its_gate_refused_exits_with_1_and_the_reasons(ops, home, champion):
    said = start(ops, home.release("worse", verdict=Blocked(("log loss is worse by 0.02",))), "--json")
    assert (said.code, said.json()["facts"]["reasons"]) == (1, ["log loss is worse by 0.02"])


def test_a_lost_release_exits_with_3(ops, home, champion):
    assert start(ops, home.release("lost", verdict=NotEvaluated("no rows"), kept=False)).code == 3


def test_a_second_canary_exits_with_2_and_says_who_runs_the_first(ops, home, champion):
    first, second = home.release("one", against=champion), home.release("two", against=champion)
    start(ops, first)
    said = start(ops, second)
    assert said.code == 2
    assert f"{first[:12]} with 10% of the requests" in said.err


@pytest.mark.parametrize("share", ["0", "1", "1.5"])
def test_a_share_that_is_none_exits_with_2(ops, home, champion, share):
    assert start(ops, home.release("second"), "--share", share).code == 2


def test_a_canary_needs_a_reason_and_something_live(ops, home):
    lonely = home.release("first")
    assert ops("canary", "start", "flight_delay", lonely).code == 2
    assert start(ops, lonely).code == 2


def test_stopping_takes_it_back_with_a_reason_and_status_remembers(ops, home, champion):
    second = home.release("second", against=champion)
    start(ops, second)
    assert ops("canary", "stop", "flight_delay", "--dry-run", "--json").json()[0]["state"] == "would end"
    assert home.platform.canaries.running(*HERE) is not None
    assert ops("canary", "stop", "flight_delay", "--reason", "complaints").code == 0
    assert home.platform.canaries.running(*HERE) is None
    (row,) = ops("canary", "status", "flight_delay", "--json").json()
    assert (row["candidate"], row["ended"]["reason"]) == (second, "complaints")
    assert row["ended"]["verdict"]["reasons"] == ["not evaluated: it was not judged yet"]


def test_stopping_what_does_not_run_exits_with_2(ops, home, champion):
    said = ops("canary", "stop", "flight_delay")
    assert said.code == 2
    assert "No canary of 'flight_delay' runs" in said.err


def test_status_shows_the_last_verdict(ops, home, champion):
    start(ops, home.release("second", against=champion))
    canary = home.platform.canaries.running(*HERE)
    facts = {"canary": canary.digest, "findings": {CANARY: verdict_to_json(NotEvaluated("3 days"))}}
    home.publish("flight_delay/canary", "2013-02-26", facts=facts)
    said = ops("canary", "status", "flight_delay")
    assert "not evaluated: not evaluated: 3 days" not in said.out
    assert "not evaluated: 3 days" in said.out


def test_a_canary_is_over_when_the_pointer_moves_and_the_next_may_start(ops, home, champion):
    second, third = home.release("second", against=champion), home.release("third", against=champion)
    start(ops, second)
    assert ops("promote", "flight_delay", second).code == 0
    assert ops("canary", "status", "flight_delay", "--json").json()[0]["state"] == "over: the pointer has moved"
    assert start(ops, third).code == 0
    (past,) = home.platform.canaries.past(*HERE)
    assert past[1].reason == "the pointer has moved since it began"


def test_status_of_a_system_without_canaries_says_so(ops, home, champion):
    assert "nothing yet" in ops("canary", "status", "flight_delay").out
