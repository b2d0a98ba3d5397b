from datetime import timedelta
from decimal import Decimal

import pytest

from ops_pipelines.testing.call_log import MONDAY, call_of

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
