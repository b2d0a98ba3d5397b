from datetime import timedelta
from decimal import Decimal

import pytest

from ops_pipelines.core.fingerprint import canonical_json, digest_table
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.verdict import Passed
from ops_pipelines.llmops.budget import Budget, Caller, accounts_of
from ops_pipelines.llmops.call_table import ID, table_of_calls
from ops_pipelines.llmops.cost import nanos
from ops_pipelines.testing.answer_log import answered_of
from ops_pipelines.testing.call_log import MONDAY, call_of
from ops_pipelines.testing.release_store import evidence_against

MARCH = ("--since", "2026-03-01", "--until", "2026-03-31")


@pytest.fixture
def spent(home):
    home.folder.mkdir()
    home.platform.calls.keep(
        [
            call_of("a"),
            call_of("b", tenant="other", at=MONDAY + timedelta(days=1), usd=Decimal("0.5")),
            call_of("c", tenant="other", usd=None, usage=None, outcome="cut", feature="mail"),
            call_of("d", system="desk", at=MONDAY + timedelta(days=40)),
        ]
    )
    return home


def test_calls_are_told_by_tenant_with_what_is_unknown(ops, spent):
    other, acme = ops("cost", "--by", "tenant", *MARCH, "--json").json()
    assert (other["tenant"], other["requests"], other["failed"], other["usd"], other["unpriced"]) == (
        "other",
        2,
        1,
        0.5,
        1,
    )
    assert (acme["tenant"], acme["usd"], acme["tokens in"], acme["p95 ms"]) == ("acme", 0.00021, 1200, 812.5)


def test_a_cost_that_nobody_knows_is_said_to_be_unknown(ops, spent):
    said = ops("cost", "--by", "feature", *MARCH)
    assert [line.split("\t")[:1] + line.split("\t")[6:7] for line in said.out.splitlines()[1:]] == [
        ["console", "0.50021"],
        ["mail", "unknown"],
    ]


def test_days_and_systems_bound_what_is_told(ops, spent):
    assert [row["day"] for row in ops("cost", "--by", "day", *MARCH, "--json").json()] == ["2026-03-03", "2026-03-02"]
    assert ops("cost", *MARCH, "--system", "desk").out == "cost: nothing yet\n"
    assert ops("cost", "--since", "2026-04-01", "--until", "2026-04-30", "--json").json()[0]["system"] == "desk"


def test_without_a_call_there_is_nothing_and_no_file(ops, home):
    assert (ops("cost").code, ops("cost").out) == (0, "cost: nothing yet\n")
    assert not home.folder.exists()


@pytest.mark.parametrize(
    "words", [("--by", "tenants"), ("--since", "march"), ("--since", "2026-03-05", "--until", "2026-03-01")]
)
def test_wrong_usage_exits_with_2(ops, home, words):
    assert ops("cost", *words).code == 2


BUDGETS = (Budget("tenant", Decimal(10), per=("tenant",)), Budget("all", Decimal(100), window=timedelta(days=30)))


@pytest.fixture
def live(ops, home):
    """A release of two budgets that is live, and a way to spend from them."""
    home.folder.mkdir(exist_ok=True)
    digest = home.platform.objects.put(canonical_json([budget.to_json() for budget in BUDGETS]))
    manifest = Manifest("runbook_answers", {"budgets": digest})
    home.platform.releases.save(manifest, evidence_against(None))
    assert ops("promote", "runbook_answers", manifest.digest, "--force", "--reason", "a test").code == 0
    caller = Caller("runbook_answers", manifest.digest, "console", "acme")

    def spend(name, dollars, *, settled=True):
        now = home.platform.clock.wall()
        accounts = accounts_of(BUDGETS, caller, now)
        home.platform.budgets.reserve(name, accounts, nanos(Decimal(dollars)), at=now, until=now + timedelta(hours=1))
        if settled:
            home.platform.budgets.settle(name, nanos(Decimal(dollars)), at=now)

    return spend


def budgets(ops):
    """The exit code, and the rows by account."""
    said = ops("cost", "budgets", "runbook_answers", "--json")
    return said.code, {row["account"]: row for row in said.json()}


def test_budgets_tell_what_is_spent_reserved_and_when_the_window_ends(ops, live):
    live("a", 3)
    live("b", 2, settled=False)
    code, rows = budgets(ops)
    row = rows["tenant[tenant=acme]"]
    assert (code, rows.keys()) == (0, {"tenant[tenant=acme]", "all"})
    assert (row["limit_usd"], row["spent_usd"], row["reserved_usd"], row["share"]) == ("10", "3", "2", 0.5)
    assert row["until"].endswith("T00:00:00+00:00")
    assert rows["all"]["share"] == 0.05


def test_a_budget_of_which_nobody_spent_is_told_too(ops, live):
    code, rows = budgets(ops)
    assert (code, rows.keys()) == (0, {"all", "tenant[nobody yet]"})


def test_an_exhausted_budget_exits_with_1(ops, live):
    live("a", 10)
    code, rows = budgets(ops)
    assert (code, rows["tenant[tenant=acme]"]["state"], rows["all"]["state"]) == (1, "exhausted", "good")


def test_a_budget_with_too_little_left_for_a_question_exits_with_1(ops, home, live):
    live("a", 9)
    assert budgets(ops)[0] == 0
    refused = answered_of(
        "q", at=home.platform.clock.wall(), tenant="acme", outcome="over_budget", usage=None, calls=()
    )
    home.platform.answers.keep([refused])
    code, rows = budgets(ops)
    assert (code, rows["tenant[tenant=acme]"]["state"], rows["all"]["state"]) == (1, "exhausted", "good")


def test_a_system_without_a_live_release_has_no_budgets_to_tell(ops, home):
    said = ops("cost", "budgets", "runbook_answers")
    assert (said.code, "ops promote" in said.err) == (2, True)


def test_calls_that_the_log_handed_over_to_the_lake_are_still_told(ops, spent):
    platform = spent.platform
    table = table_of_calls([platform.calls.find("a"), platform.calls.find("c")])
    made = Origin("run", "no-git", "code", MONDAY)
    artefact = Artefact("runbook_answers/calls", "2026-03-02", digest_table(table, key=[ID]), Passed(), {}, made, {})
    before = ops("cost", "--by", "tenant", *MARCH, "--json").json()
    platform.lake.publish(table, artefact)
    platform.calls.forget(["a"])
    assert ops("cost", "--by", "tenant", *MARCH, "--json").json() == before
