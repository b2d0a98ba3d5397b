"""How other systems ask for a retraining, what the rule says of it, and what the ledger shows afterwards."""

from datetime import timedelta

import pyarrow as pa
import pytest

from ops_pipelines.adapters.retraining_answers import answers_of
from ops_pipelines.adapters.retraining_door import plan_request, write_request
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.retraining_log import TrainingStep

from .conftest import NOON

SYSTEM, WEEK, NEXT = "flight_delay", "2013-02-19", "2013-02-26"
RULE = {"cooldown_weeks": 0, "budget_runs": 3, "price_per_cpu_hour_usd": 0.36}


def put(home, part: str, week: str, *, verdict: Verdict | None = None, **facts) -> None:
    """What an asset stored, made now."""
    origin = Origin("run-1", "no-git", "code", home.platform.clock.wall())
    made = Artefact(f"{SYSTEM}/{part}", week, "d" * 64, verdict or Passed(), {}, origin, facts)
    home.platform.lake.publish(pa.table({}), made)


@pytest.fixture
def desk(home):
    """A system with a live release, judged for two weeks by a rule without a cooldown; it is Tuesday noon."""
    home.platform.clock.set(NOON)
    digest = home.release("first")
    home.platform.promote(SYSTEM, digest, actor="ann", reason="it is the first")
    put(home, "checkpoint", "2013-01-01", release=digest)
    for week in (WEEK, NEXT):
        put(home, "drift", week)
    judged_by(home, **RULE)
    return home


def judged_by(home, **rule) -> None:
    put(home, "episodes", NEXT, episodes=[], release=None, rule=rule)


def ask(ops, *words: str):
    return ops("drift", "retrain", SYSTEM, "--reason", "a new airline", *words)


def cost(home, request: str, run: str, seconds: float | None) -> None:
    """A checkpoint's step of a run that ended at a cost, or was killed where there is none."""
    for spent in {None, seconds}:
        step = TrainingStep(request, SYSTEM, run, "checkpoint", home.platform.clock.wall(), spent, is_good=True)
        home.platform.retraining.spend(step)


def pass_on(home, **time: float) -> None:
    home.platform.clock.set(home.platform.clock.as_of() + timedelta(**time))


def test_the_same_key_twice_is_one_request_whenever_and_by_whomever(ops, desk):
    (first,) = ask(ops, "--key", "build-812", "--by", "ci", "--json").json()
    pass_on(desk, days=3)
    put(desk, "drift", "2013-03-05")
    again = ask(ops, "--key", "build-812", "--by", "another", "--json")
    assert (again.code, again.json()[0]["state"]) == (0, "stands since it was asked first")
    (row,) = desk.platform.retraining.requests(SYSTEM)
    assert row.key == first["key"] == again.json()[0]["key"] == f"{SYSTEM}/request/build-812"
    assert (row.week, row.reason) == (NEXT, "a new airline")
    assert row.actor.startswith("ci (")


def test_a_key_that_stands_for_another_week_is_wrong_usage(ops, desk):
    ask(ops, "--key", "build-812", "--week", WEEK)
    assert ask(ops, "--key", "build-812", "--week", WEEK).code == 0
    said = ask(ops, "--key", "build-812", "--week", NEXT)
    assert said.code == 2
    assert f"stands for a training up to {WEEK}" in said.err


def test_a_week_that_has_not_ended_is_wrong_usage_even_where_it_was_scored(ops, desk):
    put(desk, "predictions", "2013-03-05")
    for week in ("2013-03-05", "2014-01-07"):
        said = ask(ops, "--week", week)
        assert said.code == 2
        assert f"The week of {week} has not ended: the platform's clock says 2013-03-05 12:00" in said.err
    assert desk.platform.retraining.requests(SYSTEM) == ()


@pytest.mark.parametrize("key", ["", " ", "a b", "a#2", "ü", "-x", "x" * 101, "a\nb"])
def test_what_cannot_be_a_key_is_wrong_usage(ops, desk, key):
    said = ops("drift", "retrain", SYSTEM, "--reason", "a new airline", f"--key={key}")
    assert said.code == 2
    assert "cannot be a key" in said.err


def test_the_library_refuses_what_the_verb_refuses(desk):
    platform = desk.platform
    for wrong in ({"system": "flight_dely"}, {"reason": "  "}, {"actor": ""}, {"key": "a b"}, {"week": "2013-03-05"}):
        asked = {"system": SYSTEM, "reason": "a new airline", "actor": "oncall", **wrong}
        with pytest.raises(ConfigError):
            plan_request(platform, **asked)
    assert platform.retraining.requests(SYSTEM) == ()


def test_the_library_writes_what_it_planned_once(desk):
    def asked():
        wanted = plan_request(desk.platform, SYSTEM, reason="a new airline", actor="oncall", key="7")
        return write_request(desk.platform, wanted)

    first, second = asked(), asked()
    assert (first.stands, second.stands, first.request) == (False, True, second.request)
    assert len(desk.platform.retraining.requests(SYSTEM)) == 1


def test_a_second_request_waits_until_the_first_is_decided_or_patience_ends(ops, desk):
    ask(ops, "--key", "1")
    said = ask(ops, "--key", "2", "--json")
    assert (said.code, said.json()[0]["state"]) == (1, "refused")
    assert said.json()[0]["why"] == [f"{SYSTEM}/request/1 is not decided yet"]
    put(desk, "checkpoint", NEXT, verdict=Blocked(("it is no better",)), release="ab" * 32)
    assert ask(ops, "--key", "2").code == 0
    assert ask(ops, "--key", "3").code == 1
    pass_on(desk, weeks=1)
    assert ask(ops, "--key", "3").code == 0


def test_a_person_may_insist_and_the_row_says_so(ops, desk):
    ask(ops, "--key", "1")
    assert "A person may insist with --anyway" in ask(ops, "--key", "2").out
    assert ask(ops, "--key", "2", "--anyway").code == 0
    row = desk.platform.retraining.requests(SYSTEM)[-1]
    assert row.reason == f"a new airline (asked for anyway: {SYSTEM}/request/1 is not decided yet)"


def test_the_rule_that_the_last_week_was_judged_by_is_the_one_that_counts(ops, desk):
    judged_by(desk, **RULE | {"cooldown_weeks": 2})
    ask(ops, "--key", "1")
    pass_on(desk, weeks=1)
    assert ask(ops, "--key", "2", "--json").json()[0]["why"] == ["cooldown until 2013-03-19"]
    assert len(desk.platform.retraining.requests(SYSTEM)) == 1


def test_a_rehearsal_says_what_was_spent_and_what_is_left_and_is_refused_like_the_real_one(ops, desk):
    judged_by(desk, **RULE | {"budget_cpu_seconds": 30})
    ask(ops, "--key", "1")
    cost(desk, f"{SYSTEM}/request/1", "r1", 10.0)
    cost(desk, f"{SYSTEM}/request/1", "r2", None)
    pass_on(desk, weeks=1)
    (row,) = ask(ops, "--key", "2", "--dry-run", "--json").json()
    assert (row["state"], row["budget"]["runs"]) == ("would be written", {"spent": 1, "of": 3, "left": 2})
    known = {"known": 10.0, "unknown_runs": 1, "counted_as": 20.0, "of": 30.0, "left": 10.0}
    assert row["budget"]["cpu_seconds"] == known
    assert "10.0 and 1 run(s) of unknown cost of 30.0, 10.0 left" in ask(ops, "--key", "2", "--dry-run").out
    cost(desk, f"{SYSTEM}/request/1", "r3", 1.0)
    said = ask(ops, "--key", "2", "--dry-run", "--json")
    assert (said.code, said.json()[0]["state"]) == (1, "would be refused")
    assert "the next run may cost 10.0" in said.json()[0]["why"][0]
    assert len(desk.platform.retraining.requests(SYSTEM)) == 1


def test_where_no_cost_is_known_what_counts_is_said_to_be_unknown(ops, desk):
    judged_by(desk, **RULE | {"budget_cpu_seconds": 30})
    ask(ops, "--key", "1")
    cost(desk, f"{SYSTEM}/request/1", "r1", None)
    pass_on(desk, weeks=1)
    said = ask(ops, "--key", "2", "--dry-run", "--json")
    budget = said.json()[0]["budget"]["cpu_seconds"]
    assert (said.code, budget["counted_as"], budget["left"]) == (1, None, 0.0)


def test_the_ledger_has_each_request_with_its_state_its_cost_and_its_price(ops, desk):
    ask(ops, "--key", "1", "--week", WEEK)
    put(desk, "checkpoint", WEEK, verdict=Blocked(("it is no better",)), release="ab" * 32)
    ask(ops, "--key", "2")
    cost(desk, f"{SYSTEM}/request/1", "r1", 100.0)
    cost(desk, f"{SYSTEM}/request/2", "r2", None)
    first, second = ops("drift", "requests", SYSTEM, "--json").json()
    assert (first["state"], first["cpu_seconds"], first["usd"]) == ("refused", 100.0, pytest.approx(0.01))
    assert (second["state"], second["unknown_runs"], second["usd"]) == ("run 1 of 3 has begun and not ended", 1, None)
    *_, last = ops("drift", "requests", SYSTEM).out.splitlines()
    assert last.endswith("run 1 of 3 has begun and not ended\t1 run(s) unknown\tunknown")
    assert [row["request"] for row in ops("drift", "requests", SYSTEM, "--last", "1", "--json").json()] == [
        f"{SYSTEM}/request/2"
    ]


def test_a_system_of_which_nothing_was_asked_has_an_empty_ledger(ops, desk):
    assert ops("drift", "requests", SYSTEM, "--json").json() == []
    assert "requests: nothing yet" in ops("drift", "requests", SYSTEM).out
    assert "Did you mean 'flight_delay'?" in ops("drift", "requests", "flight_dely").err


def test_what_was_made_of_a_week_before_somebody_asked_is_no_answer_to_them(ops, desk):
    put(desk, "checkpoint", NEXT, verdict=Blocked(("it is no better",)), release="ab" * 32)
    ask(ops, "--key", "1")
    assert state_of(desk) == "no run has begun"
    put(desk, "training_set", NEXT, verdict=Blocked(("flights@2013-02-26 is blocked",)))
    assert state_of(desk) == "training set refused"


def test_a_challenger_is_passed_then_promoted_then_rolled_back_and_the_ledger_follows(ops, desk):
    platform, first = desk.platform, desk.live()[0]
    ask(ops, "--key", "1")
    second = desk.release("second", against=first)
    put(desk, "checkpoint", NEXT, release=second)
    assert state_of(desk) == "passed, and not promoted"
    platform.promote(SYSTEM, second, actor="run 1", reason="its gate passed")
    assert state_of(desk) == "promoted"
    pass_on(desk, days=2)
    platform.roll_back(SYSTEM, first, actor="ann", reason="complaints")
    assert state_of(desk) == "promoted, then rolled back"
    (as_it_was,) = answers_of(platform, SYSTEM, before=NOON + timedelta(days=1))
    assert as_it_was.outcome == "promoted"


def state_of(home) -> str:
    (answer,) = answers_of(home.platform, SYSTEM)
    return answer.state
