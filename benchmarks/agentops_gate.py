"""The tool gate: what it lets through and stops of public calls, and what it costs.

BFCL: right calls that are refused (each with the fault of its own row of the data set, `gold_faults`), structural damage,
and plausible wrong values (one value of the call taken from another question), which no schema can know. tau-bench: what
the default breaker stops, and which ids occur nowhere in what was said or returned. A flag is false where the desk's own
tool then took the id; the others are ids that the model made up, and that the desk refused, too.

Time is that of a whole call through the gate, its decision written to SQLite. A policy's answer to a question that it was
asked before is remembered; one row is of calls that each ask another. A durable commit is shown beside a bare one
of the same length with synchronous = FULL on the same disk.
"""

import random
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.gold_faults import faults_of
from benchmarks.rows import Row, at_most, skipped, void
from benchmarks.tool_calls import GoldCall, RecordedRun, data, gold_calls, mutations, recorded_runs
from ops_pipelines.agentops.approval import Answer, Binding, Request
from ops_pipelines.agentops.backtest import backtest
from ops_pipelines.agentops.breaker import Breaker, LoopRule
from ops_pipelines.agentops.claims import claims_of
from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.agentops.gate_parts import Parts, Run
from ops_pipelines.agentops.gated import tools_of
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.provenance import USER, Heard, suspects
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.agentops.tool_call import Denied, Done
from ops_pipelines.agentops.tool_function import tool_of
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.agentops.tool_registry import EGRESS, READ, WRITE, Tool
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

CALLS, QUICK_CALLS, READ_MS = 2_000, 200, 0.3
DECISIONS, QUICK_DECISIONS = 10_000, 500
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
POLICY = '@id("all but egress") permit(principal, action, resource) when { resource.effect != "egress" };'
STRICTER = (
    '@id("nothing for A17") forbid(principal, action, resource) when { context.arguments.contains("order=A17") };'
)
READING = '@id("not row -1") forbid(principal, action, resource) when { context.arguments.contains("row=-1") };'
_ABSENT = "the files are not in agents/ of OPS_BENCH_DATA or ../shared/data"


def measure() -> Iterator[Row]:
    """What is let through and stopped, and what it costs."""
    yield from _quality()
    yield from _latency(CALLS)
    yield from _backtest(DECISIONS)


def measure_quick() -> Iterator[Row]:
    """The same on fewer calls."""
    yield from _quality()
    yield from _latency(QUICK_CALLS)
    yield from _backtest(QUICK_DECISIONS)


def _quality() -> Iterator[Row]:
    if not (data() / "bfcl_v4_subset.jsonl").is_file():
        yield skipped("gate, BFCL and tau-bench", _ABSENT)
        return
    yield from _bfcl(list(gold_calls()))
    yield from _tau(list(recorded_runs()))


def _bfcl(calls: Sequence[GoldCall]) -> Iterator[Row]:
    refused, made, missed, rejected = {}, 0, Counter[str](), 0
    let_through = 0
    for number, call in enumerate(calls):
        tool = Tool(call.tool, call.schema, READ)
        if tool.problems(call.arguments):
            refused[f"{call.question_id} {call.tool} {number}"] = faults_of(call)
            continue
        let_through += bool(faults_of(call))
        for kind, arguments in mutations(call):
            made += 1
            problems = bool(tool.problems(arguments))
            rejected += problems
            missed[kind] += not problems
    yield from _refused(refused, len(calls), let_through)
    note = f"{made - rejected} let through of {made:,} {dict(+missed)}"
    share = rejected / made
    yield Row("gate, BFCL structural damage refused, share", share, None, None, "ours >= 0.995", share >= 0.995, note)
    yield from _plausible(calls)


def _refused(refused: Mapping[str, Sequence[str]], calls: int, let_through: int) -> Iterator[Row]:
    """The right calls that are refused, each with what its own row of the data set has wrong."""
    kinds = Counter(faults[0].split(": ")[1] for faults in refused.values() if faults)
    note = f"{len(refused)} faults of the data set: " + "; ".join(
        f"{count} {kind}" for kind, count in kinds.most_common()
    )
    share = len(refused) / calls
    name = f"gate, BFCL {calls:,} right calls refused, share"
    yield Row(name, share, None, None, "ours <= 0.01", share <= 0.01, note, {"faults": refused})
    without = [name for name, faults in refused.items() if not faults]
    note = f"each is compared with the schema of its own row; {let_through} calls that contradict it are let through"
    yield at_most("gate, BFCL right calls refused without a fault of the data set", float(len(without)), 0, note=note)


def _plausible(calls: Sequence[GoldCall]) -> Iterator[Row]:
    """Right calls with one text from another question: refused by the schema, or flagged since it occurs nowhere."""
    draw, found = random.Random(7), Counter[str]()
    texts = [value for call in calls for value in call.arguments.values() if isinstance(value, str) and value]
    for call in calls:
        tool = Tool(call.tool, call.schema, READ)
        names = [name for name, value in call.arguments.items() if isinstance(value, str) and value]
        if not names or tool.problems(call.arguments):
            continue
        changed = {**call.arguments, draw.choice(names): draw.choice(texts)}
        if changed == dict(call.arguments):
            continue
        heard = Heard()
        heard.add(call.question, source=USER, trusted=True)
        found["all"] += 1
        found["right"] += bool(suspects(heard.trace(claims_of(call.schema, call.arguments))))
        found["schema"] += bool(tool.problems(changed))
        found["claims"] += bool(claims_of(call.schema, changed))
        found["provenance"] += bool(suspects(heard.trace(claims_of(call.schema, changed))))
    note = f"{found['right']} of {found['all']:,} calls, whose ids and destinations the user wrote in another way"
    share = found["right"] / found["all"]
    yield Row("gate, BFCL right calls flagged by provenance, share", share, None, None, "reported", True, note)
    for stage in ("schema", "provenance"):
        note = f"{found[stage]} of {found['all']:,} calls; {found['claims']:,} claim an id or a destination"
        share = found[stage] / found["all"]
        yield Row(
            f"gate, BFCL plausible wrong texts caught by {stage}, share", share, None, None, "reported", True, note
        )


def _tau(runs: Sequence[RecordedRun]) -> Iterator[Row]:
    watched = [_watched(run) for run in runs]
    good = [one for run, one in zip(runs, watched, strict=True) if run.succeeded]
    bad = [one for run, one in zip(runs, watched, strict=True) if not run.succeeded]
    note = f"{len(good)} successful runs"
    yield at_most("gate, tau-bench successful runs stopped", float(sum(one["saved"] > 0 for one in good)), 0, note=note)
    saved, calls = sum(one["saved"] for one in bad), sum(one["calls"] for one in bad)
    stopped = sum(one["saved"] > 0 for one in bad)
    note = f"{saved} of {calls} calls, {stopped} of {len(bad)} failed runs stopped"
    yield Row("gate, tau-bench calls of failed runs saved, share", saved / calls, None, None, "reported", True, note)
    calls = sum(one["calls"] for one in good)
    flagged, false = (sum(one[name] for one in good) for name in ("flagged", "false"))
    strictly = sum(one["not as written"] for one in good)
    note = (
        f"{flagged} of {calls} calls, {flagged - false} of them with an id that the desk refused as well; "
        f"{strictly} ({strictly / calls:.1%}) if an id had to be said as it is written"
    )
    yield at_most("gate, tau-bench calls of successful runs flagged, share", flagged / calls, 0.01, note=note)
    yield at_most("gate, tau-bench calls of successful runs flagged falsely, share", false / calls, 0.01)
    flagged, calls = sum(one["flagged"] for one in bad), sum(one["calls"] for one in bad)
    note = f"{flagged} of {calls} calls"
    yield Row(
        "gate, tau-bench calls of failed runs flagged, share", flagged / calls, None, None, "reported", True, note
    )


def _watched(run: RecordedRun) -> Counter[str]:
    """What gate and breaker would have said to a recorded run."""
    breaker, heard, found = Breaker(LoopRule(), NOON), Heard(), Counter[str]()
    called, suspected, read = None, False, ""
    for turn in run.turns:
        if turn.role == "call":
            found["calls"] += 1
            found["saved"] += isinstance(breaker.admit(NOON), Blocked)
            called = turn
            claims = claims_of({}, turn.arguments or {})
            suspected = bool(suspects(heard.trace(claims)))
            found["flagged"] += suspected
            found["not as written"] += suspected or any(str(claim.value).casefold() not in read for claim in claims)
        elif turn.role == "tool" and called is not None:
            failed = turn.text.startswith("Error")
            found["false"] += suspected and not failed
            breaker.record("agent", called.tool, called.arguments or {}, turn.text, failed=failed)
            heard.add(turn.text, source=called.tool, trusted=True, said=called.arguments)
        else:
            heard.add(turn.text, source=turn.role, trusted=True)
            breaker.told(turn.text)
        read += turn.text.casefold()
    return found


def _latency(calls: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        gate = _gate(Path(folder))
        gate.hear("Look at order A17 in week 2013-01-01")
        read = _p50_ms(calls, lambda n: gate.call("look", {"order": "A17", "row": n}), Done)
        denied = _p50_ms(calls, lambda n: gate.call("send", {"order": "A17", "row": n}), Denied)
        wrong = _p50_ms(calls, lambda n: gate.call("look", {"order": "A17", "row": str(n)}), Denied)
        for name, found in (("a read", read), ("a denial by policy", denied), ("a denial by schema", wrong)):
            yield _timed(f"gate, p50 of {name}, ms", found)
        anew = replace(gate.parts, policy=Policy({"bench.cedar": POLICY, "more.cedar": READING}))
        asking = _of(anew, "bench-anew")
        found = _p50_ms(calls, lambda n: asking.call("look", {"order": "A17", "row": n}), Done)
        note = "its policy reads the arguments, so that each call is another question to Cedar"
        yield Row("gate, p50 of a read that no policy was asked before, ms", found, None, None, "reported", True, note)
        few = max(calls // 5, 50)
        names = {
            "an effect (decision, start and end: 3 commits)": lambda n: gate.call("write", {"order": "A17", "row": n}),
            "an approval (asked, granted and used: 3 commits)": lambda n: _approved(gate, n),
        }
        with _bare_file(Path(folder) / "bare.db") as bare:
            for name, call in names.items():
                yield _beside(f"gate, p50 of {name}, ms", few, call, bare)


def _backtest(decisions: int) -> Iterator[Row]:
    """Recorded decisions judged by two policies, one of them stricter."""
    with tempfile.TemporaryDirectory() as folder:
        gate = _gate(Path(folder))
        gate.call("look", {"order": "A17", "row": 1})
        (kept,) = gate.parts.log.decisions()
    stricter = Policy({"bench.cedar": POLICY, "more.cedar": STRICTER})
    asked = [_of_tenant(kept, number) for number in range(decisions)]
    began = time.perf_counter()
    found = backtest(asked, gate.parts.registry, before=gate.parts.policy, after=stricter)
    took = time.perf_counter() - began
    name = f"gate, backtest of {decisions:,} decisions, s"
    if len(found.changed) != decisions:
        yield void(name, "ours <= 10", f"{len(found.changed)} decisions changed")
        return
    yield at_most(name, took, 10)


def _of_tenant(kept: Logged, number: int) -> Logged:
    """The decision for another tenant, so that none is remembered from the one before."""
    return replace(kept, id=str(number), situation={**kept.situation, "tenant": f"tenant-{number}"})


def _timed(name: str, found: float | None) -> Row:
    if found is None:
        return void(name, f"ours <= {READ_MS:g}", "a call came to something else")
    return at_most(name, found, READ_MS)


def _gate(folder: Path) -> Gate:
    from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
    from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
    from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
    from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal

    def look(order: str, row: int) -> dict[str, Any]:
        return {"order": order, "row": row}

    effects = {"look": READ, "write": WRITE, "send": EGRESS}
    registry, functions = tools_of([tool_of(look, effect=effect, name=name) for name, effect in effects.items()])
    ids = count()
    parts = Parts(
        registry=registry,
        functions=functions,
        policy=Policy({"bench.cedar": POLICY}),
        approvals=SQLiteApprovalStore(folder / "approvals.db"),
        journal=SQLiteEffectJournal(folder / "effects.db"),
        log=SQLiteDecisionLog(folder / "decisions.db"),
        budgets=SQLiteBudgetStore(folder / "budgets.db"),
        now=lambda: datetime.now(UTC),
        new_id=lambda: f"call-{next(ids)}",
    )
    return _of(parts, "bench")


def _of(parts: Parts, run: str) -> Gate:
    breaker = Breaker(LoopRule(steps=10**6, errors=10**6), parts.now())
    return Gate(parts, Run(run, "bench", "b" * 64), breaker=breaker, purse=Purse(run, Decimal(1)))


def _p50_ms(calls: int, call: Callable[[int], Any], wanted: type) -> float | None:
    """The median of a call in milliseconds, after some to warm up; None where one came to something else."""
    times = []
    for number in range(calls + 20):
        began = time.perf_counter()
        answer = call(number)
        took = time.perf_counter() - began
        if not isinstance(answer, wanted):
            return None
        if number >= 20:
            times.append(took * 1000)
    return statistics.median(times)


def _beside(name: str, calls: int, call: Callable[[int], Any], bare: sqlite3.Connection) -> Row:
    """A durable call beside a bare commit, in turn, since a disk has its moods."""
    ours, peer = [], []
    for number in range(calls):
        began = time.perf_counter()
        answer = call(number)
        between = time.perf_counter()
        _commit(bare, "x" * 500)
        peer.append((time.perf_counter() - between) * 1000)
        ours.append((between - began) * 1000)
        if not isinstance(answer, Done | Passed):
            return void(name, "reported", f"a call came to {answer}")
    mine, theirs = statistics.median(ours), statistics.median(peer)
    note = "the peer is one bare commit with synchronous = FULL"
    return Row(name, mine, theirs, mine / theirs, "reported", True, note)


def _approved(gate: Gate, number: int) -> Verdict:
    binding = Binding("a" * 64, "{}", "bench", "b" * 64, gate.parts.policy.digest)
    store, at = gate.parts.approvals, gate.parts.now()
    request = Request(f"approval-{number}", "bench", "write", binding, "", at, at + gate.parts.limits.approval)
    store.ask(request)
    store.answer(request.id, Answer("anna", granted=True, at=at))
    return store.consume(request.id, binding.digest, at=at)


@contextmanager
def _bare_file(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, content TEXT)")
        yield connection


def _commit(connection: sqlite3.Connection, content: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO bare (content) VALUES (?)", (content,))
    connection.execute("COMMIT")
