"""D18: a process dies between an effect and its checkpoint, and when it is resumed the effect is done again.

Both variants are a process that pays and then kills itself before it can write down that it has paid. This module is also
what they run: `python -m ops_pipelines.apps.drills.repeated_effect (plain|gate) FOLDER MINUTE (dies|lives)`.
"""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from ops_pipelines.apps.drills.drill import Drill, Outcome

DIES, LIVES = "dies", "lives"
PATIENCE_SECONDS = 60


def unguarded(folder: Path) -> Outcome:
    """A checkpoint after each step, and on resuming the first step that has none."""
    _run("plain", folder, 0, DIES)
    _run("plain", folder, 5, LIVES)
    paid = _paid(folder)
    return Outcome(
        harmed=paid > 1,
        caught=False,
        reason=f"paid {paid} times for one step",
        evidence={"paid": paid},
    )


def guarded(folder: Path) -> Outcome:
    """The same through the gate, which writes down what it is about to do; it is resumed twice, and then found out."""
    from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
    from ops_pipelines.agentops.effects import DONE, waiting_for_a_person
    from ops_pipelines.agentops.effects import Outcome as Found
    from ops_pipelines.testing.gates import NOON

    _run("gate", folder, 0, DIES)
    resumed = [_run("gate", folder, minute, LIVES) for minute in (5, 10)]
    journal, later = SQLiteEffectJournal(folder / "effects.db"), NOON + timedelta(minutes=15)
    parked = [entry.intent.key for entry in waiting_for_a_person(journal, later)]
    journal.end(parked[0], Found(DONE, '"the bank has the payment"', by="anna"), at=later)
    after = _run("gate", folder, 20, LIVES)
    paid = _paid(folder)
    return Outcome(
        harmed=paid != 1,
        caught=all(one["status"] == "unknown" for one in resumed) and after["status"] == "done",
        reason=resumed[0]["reason"],
        evidence={"paid": paid, "parked": parked, "resumed": resumed, "once a person knows": after},
    )


DRILL = Drill(
    number="D18",
    name="repeated effect",
    incident="a process dies between an effect and its checkpoint, and resuming does the effect again",
    source="agent-framework#3938, and reports to langgraph",
    names="nobody knows whether pay was done",
    unguarded=unguarded,
    guarded=guarded,
)


def _run(how: str, folder: Path, minute: int, fate: str) -> dict[str, Any]:
    """What the agent was told, or nothing where it died; RuntimeError where it ended otherwise."""
    words = [sys.executable, "-m", __name__, how, str(folder), str(minute), fate]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    if done.returncode != (-signal.SIGKILL if fate == DIES else 0):
        raise RuntimeError(f"the agent that {fate} ended with {done.returncode}: {done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout) if fate == LIVES else {}
    return told


def _paid(folder: Path) -> int:
    return len((folder / "bank").read_text().splitlines())


def _pay(folder: Path, fate: str) -> str:
    """The effect: it is there, and then its process may die."""
    with (folder / "bank").open("a") as bank:
        bank.write("12 dollars to bob\n")
    if fate == DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    return "paid"


def _plain(folder: Path, _: int, fate: str) -> dict[str, str]:
    checkpoint = folder / "checkpoint"
    if not checkpoint.exists():
        _pay(folder, fate)
        checkpoint.write_text("step 1 is done")
    return {"status": "done"}


def _gated(folder: Path, minute: int, fate: str) -> dict[str, Any]:
    from ops_pipelines.agentops.tool_function import tool_of
    from ops_pipelines.apps.drills.small_agent import parts_in
    from ops_pipelines.testing.gates import NOON, ClockByHand, gate_of

    def pay(cents: int) -> str:  # noqa: ARG001  (it is always the same bill)
        return _pay(folder, fate)

    now = ClockByHand(NOON + timedelta(minutes=minute))
    gate = gate_of(parts_in(folder, tool_of(pay, effect="write"), now=now))
    return gate.call("pay", {"cents": 1200}, call_id="step-1").to_json()


if __name__ == "__main__":
    _how, _folder, _minute, _fate = sys.argv[1:]
    _act = _plain if _how == "plain" else _gated
    print(json.dumps(_act(Path(_folder), int(_minute), _fate)))  # noqa: T201  (its parent reads it)
