"""The gate on its stores of SQLite, one of which is locked, gone bad, or no longer there."""

import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.tool_call import Denied, Done, Waiting
from ops_pipelines.agentops.tool_function import tool_of
from ops_pipelines.testing.gates import NOON, gate_of, parts_of

STORES = {
    "approvals": SQLiteApprovalStore,
    "journal": SQLiteEffectJournal,
    "log": SQLiteDecisionLog,
    "budgets": SQLiteBudgetStore,
}


class Desk:
    """A gate in a folder, in front of one tool that pays, once somebody has approved it."""

    def __init__(self, folder) -> None:
        self.folder, self.paid = folder, []

        def pay(cents: int) -> str:
            self.paid.append(cents)
            return "paid"

        stores = {name: made(folder / f"{name}.db", timeout_seconds=0.05) for name, made in STORES.items()}
        self.parts = parts_of(tool_of(pay, effect="money"), prices={"pay": Decimal("0.01")}, **stores)

    def approval(self) -> str:
        waiting = gate_of(self.parts).call("pay", {"cents": 5})
        assert isinstance(waiting, Waiting)
        self.parts.approvals.answer(waiting.approval, Answer("anna", granted=True, at=NOON))
        return waiting.approval

    def pay(self, approval: str):
        return gate_of(self.parts).call("pay", {"cents": 5}, approval=approval)


@pytest.fixture
def desk(tmp_path) -> Desk:
    made = Desk(tmp_path / "home")
    assert made.pay(made.approval()) == Done("paid")  # so that each of the files is there
    made.paid.clear()
    return made


@pytest.mark.parametrize("store", STORES)
def test_a_store_that_somebody_else_has_locked_denies_and_nothing_is_done(desk, store):
    approval = desk.approval()
    with closing(sqlite3.connect(desk.folder / f"{store}.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = desk.pay(approval)
    assert isinstance(answer, Denied)
    assert (desk.paid, "Nothing was done" in answer.do) == ([], True)


@pytest.mark.parametrize("store", STORES)
def test_a_store_whose_file_was_replaced_by_something_else_denies_and_nothing_is_done(desk, store):
    approval = desk.approval()
    file = desk.folder / f"{store}.db"
    for part in desk.folder.glob(f"{store}.db*"):  # its write-ahead log too, from which SQLite would mend it
        part.unlink()
    file.write_text("this is no database at all, though it is long enough to be one" * 100)
    assert isinstance(desk.pay(approval), Denied)
    assert desk.paid == []


def test_a_home_that_is_gone_has_approved_nothing(desk):
    approval = desk.approval()
    shutil.rmtree(desk.folder)
    assert isinstance(desk.pay(approval), Denied)
    assert desk.paid == []
