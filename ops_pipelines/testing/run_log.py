"""The fake of `agentops.run_log.RunLog`, and the conformance suite that the fake and every adapter run.

A team that writes a log of its own subclasses the suite and gives it a fixture named `log`.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Lock
from typing import Any

from ops_pipelines.agentops.payload import Payload, payload_of
from ops_pipelines.agentops.run_following import BEGINNING, Kept
from ops_pipelines.agentops.run_log import (
    AGENT,
    DECISION,
    EVERY_RUN,
    MODEL,
    TOOL,
    Entry,
    RunFilter,
    RunLog,
    RunSummary,
    Step,
    Tally,
    fault_of,
    step_id,
    summary_of,
)
from ops_pipelines.core.clock import Window, utc

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = Window(MONDAY, MONDAY + timedelta(weeks=1))
RUN = "4bf92f3577b34da6a3ce929d0e0e4736"
_MICROSECOND = timedelta(microseconds=1)


class MemoryRunLog:
    """A RunLog that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: dict[str, dict[str, Step]] = {}
        self._payloads: dict[str, Payload] = {}
        self._order: list[Kept] = []

    def append(self, entries: Sequence[Entry]) -> Tally:
        with self._lock:
            faults = [(entry.step.id, self._kept(entry)) for entry in entries]
        rejected = tuple((id, fault) for id, fault in faults if fault)
        return Tally(len(entries) - len(rejected), rejected)

    def steps(self, run: str) -> tuple[Step, ...]:
        with self._lock:
            return tuple(self._runs.get(run, {}).values())

    def runs(self, window: Window, of: RunFilter = EVERY_RUN, *, limit: int = 100) -> tuple[RunSummary, ...]:
        with self._lock:
            every = [tuple(run.values()) for run in self._runs.values()]
            asked = [steps for steps in every if any(map(of.admits, steps)) and not of.leaves_out(steps)]
            found = [summary_of(steps) for steps in asked]
        inside = [one for one in found if window.start <= one.started < window.end and (one.errors or not of.failed)]
        return tuple(sorted(sorted(inside, key=lambda one: one.run), key=lambda one: one.started, reverse=True)[:limit])

    def payload(self, digest: str) -> Payload | None:
        with self._lock:
            return self._payloads.get(digest)

    def steps_after(self, cursor: int, *, limit: int = 1000) -> tuple[Kept, ...]:
        with self._lock:
            return tuple(kept for kept in self._order if kept.sequence > cursor)[:limit]

    def last_sequence(self) -> int:
        with self._lock:
            return self._order[-1].sequence if self._order else BEGINNING

    def forget(self, runs: Collection[str]) -> int:
        with self._lock:
            going = set(runs) - {kept.step.run for kept in self._order[-1:]}
            gone = sum(len(self._runs.pop(run, {})) for run in going)
            self._order = [kept for kept in self._order if kept.step.run not in going]
            named = {digest for kept in self._order for digest in (kept.step.inputs, kept.step.outputs)}
            self._payloads = {digest: one for digest, one in self._payloads.items() if digest in named}
            return gone

    def _kept(self, entry: Entry) -> str:
        if fault := fault_of(entry):
            return fault
        step = replace(entry.step, started=utc(entry.step.started), ended=utc(entry.step.ended))
        of_run = self._runs.setdefault(step.run, {})
        if of_run.get(step.id, step) != step:
            return "another step was kept under this id"
        if step.id not in of_run:
            of_run[step.id] = step
            self._order.append(Kept(1 + (self._order[-1].sequence if self._order else BEGINNING), step))
        for payload in entry.payloads:
            self._payloads.setdefault(payload.digest, payload)
        return ""


def entry_of(name: str = "drift_report", *, inputs: Any = None, outputs: Any = None, **changes: Any) -> Entry:
    """An entry of a tool call with this name on Monday; `changes` are fields of its step."""
    payloads = tuple(payload_of(value) for value in (inputs, outputs) if value is not None)
    given = {"parent": "", "kind": TOOL, "occurrence": 0, **changes}
    step = Step(
        id=given.pop("id", step_id(given["parent"], given["kind"], name, given["occurrence"])),
        run=given.pop("run", RUN),
        agent=given.pop("agent", "oncall"),
        name=name,
        inputs="" if inputs is None else payload_of(inputs).digest,
        outputs="" if outputs is None else payload_of(outputs).digest,
        started=given.pop("started", MONDAY),
        ended=given.pop("ended", MONDAY + timedelta(seconds=1)),
        **given,
    )
    return Entry(step, payloads)


class RunLogConformance:
    """What every RunLog guarantees, as tests of the fixture `log`."""

    def test_returns_what_was_kept_unchanged(self, log: RunLog) -> None:
        entry = entry_of(
            "naïve ☂",
            inputs={"week": 25},
            outputs=[1.5, None, "☂"],
            started=MONDAY + _MICROSECOND,
            decision="roll back",
            error="ValueError: no",
            memory_version="acme@3",
            release="ab" * 32,
            tokens=12,
            nanos=1_000_000_000_001,
            links=("00f067aa0ba902b7",),
        )
        assert log.append([entry]) == Tally(1)
        assert log.steps(RUN) == (entry.step,)
        assert [log.payload(payload.digest) for payload in entry.payloads] == list(entry.payloads)

    def test_what_is_unknown_comes_back_unknown_and_what_was_free_as_nothing(self, log: RunLog) -> None:
        log.append([entry_of(tokens=None, nanos=None), entry_of(occurrence=1, tokens=0, nanos=0)])
        assert [(step.tokens, step.nanos) for step in log.steps(RUN)] == [(None, None), (0, 0)]

    def test_an_instant_comes_back_as_the_same_instant_in_utc(self, log: RunLog) -> None:
        log.append([entry_of(started=MONDAY.astimezone(timezone(timedelta(hours=-5))))])
        assert (log.steps(RUN)[0].started, log.steps(RUN)[0].started.tzinfo) == (MONDAY, UTC)

    def test_steps_come_back_in_the_order_in_which_they_were_kept(self, log: RunLog) -> None:
        log.append([entry_of("c"), entry_of("a")])
        log.append([entry_of("b", started=MONDAY - timedelta(days=1))])
        assert [step.name for step in log.steps(RUN)] == ["c", "a", "b"]

    def test_keeping_a_step_again_changes_nothing_and_is_accepted(self, log: RunLog) -> None:
        entry = entry_of(nanos=5, inputs="x")
        assert (log.append([entry]), log.append([entry, entry])) == (Tally(1), Tally(2))
        assert (len(log.steps(RUN)), log.runs(WEEK)[0].nanos) == (1, 5)

    def test_another_step_under_a_kept_id_is_rejected_by_name_and_the_kept_one_stays(self, log: RunLog) -> None:
        first, second = entry_of(decision="first"), entry_of(decision="second")
        log.append([first])
        tally = log.append([second, entry_of("other")])
        assert (tally.accepted, [rejected for rejected, _ in tally.rejected]) == (1, [first.step.id])
        assert [step.decision for step in log.steps(RUN)] == ["first", ""]

    def test_the_same_id_in_two_runs_is_two_steps(self, log: RunLog) -> None:
        log.append([entry_of(), entry_of(run="b" * 32)])
        assert (len(log.steps(RUN)), len(log.steps("b" * 32))) == (1, 1)

    def test_accepted_and_rejected_are_all_that_were_sent(self, log: RunLog) -> None:
        bare = replace(entry_of(inputs="x"), payloads=())
        sent = [entry_of(), entry_of(kind="span"), entry_of("b", tokens=-1), entry_of("c", run=""), bare, entry_of("d")]
        sent.append(entry_of("e", nanos=2**63))
        tally = log.append(sent)
        assert (tally.accepted, len(tally.rejected)) == (2, 5)
        assert all(why for _, why in tally.rejected)
        assert [step.name for step in log.steps(RUN)] == ["drift_report", "d"]

    def test_a_payload_that_was_shortened_comes_back_with_its_whole_size(self, log: RunLog) -> None:
        short = Payload("ab" * 32, 100_000_000, b'"the start"')
        entry = entry_of(inputs="x")
        log.append([Entry(replace(entry.step, outputs=short.digest), (*entry.payloads, short))])
        assert log.payload(short.digest) == short

    def test_runs_are_listed_newest_first_with_their_sums(self, log: RunLog) -> None:
        task = entry_of("oncall", kind=AGENT)
        calls = [entry_of("m", kind=MODEL, occurrence=n, nanos=n or None, tokens=10) for n in range(3)]
        log.append([task, calls[0]])
        log.append([*calls[1:], entry_of(error="Timeout")])
        log.append([entry_of(run="b" * 32, started=MONDAY + timedelta(hours=1))])
        newest, first = log.runs(WEEK)
        assert (newest.run, first.run, first.agent) == ("b" * 32, RUN, "oncall")
        assert (first.steps, first.errors, first.tokens, first.nanos, first.unpriced) == (5, 1, 30, 3, 1)
        assert log.runs(WEEK, limit=1) == (newest,)

    def test_runs_are_found_by_agent_kind_and_name_of_one_step(self, log: RunLog) -> None:
        log.append([entry_of("rollback"), entry_of("desk-1", kind=MODEL, agent="reader", error="Timeout")])
        log.append([entry_of("rollback", kind=MODEL, run="b" * 32)])

        def found(**of: Any) -> int:
            return len(log.runs(WEEK, RunFilter(**of)))

        assert (found(name="rollback"), found(kind=TOOL, name="rollback"), found(agent="reader")) == (2, 1, 1)
        assert (found(agent="reader", name="rollback"), found(failed=True), found(name="roll")) == (0, 1, 0)

    def test_a_run_is_found_by_the_first_digits_of_its_id(self, log: RunLog) -> None:
        log.append([entry_of(), entry_of(run="4b" * 16), entry_of(run="4c" * 16), entry_of(run="4%" * 16)])

        def found(digits: str, **of: Any) -> set[str]:
            return {one.run for one in log.runs(WEEK, RunFilter(digits=digits, **of))}

        assert (found("4bf9"), found("4b"), found(RUN)) == ({RUN}, {RUN, "4b" * 16}, {RUN})
        assert (found("4_"), found("4%"), found("4bf9", name="another")) == (set(), {"4%" * 16}, set())

    def test_runs_that_have_not_decided_something_are_found_whatever_others_say(self, log: RunLog) -> None:
        ends: tuple[dict[str, Any], ...] = ({"release": "r"}, {"release": "r", "name": "else"}, {"release": "other"})
        for run, end in zip("abc", ends, strict=True):
            log.append([entry_of("oncall", kind=AGENT, run=run * 32, release="r")])
            log.append([entry_of(**{"name": "result", "kind": DECISION, "run": run * 32, **end})])
        found = log.runs(WEEK, RunFilter(kind=AGENT, lacks=("result", "failure")))
        assert {one.run for one in found} == {"b" * 32, "c" * 32}

    def test_a_window_holds_its_start_and_not_its_end(self, log: RunLog) -> None:
        instants = {"a" * 32: WEEK.start - _MICROSECOND, "b" * 32: WEEK.start, "c" * 32: WEEK.end}
        log.append([entry_of(run=run, started=at) for run, at in instants.items()])
        assert [one.run for one in log.runs(WEEK)] == ["b" * 32]

    def test_an_empty_log_has_no_run_no_step_and_no_payload(self, log: RunLog) -> None:
        assert log.append([]) == Tally(0)
        assert (log.steps(RUN), log.runs(WEEK), log.payload("ab" * 32)) == ((), (), None)

    def test_threads_that_append_at_once_lose_nothing(self, log: RunLog) -> None:
        def append(worker: int) -> None:
            for number in range(25):
                log.append([entry_of(f"tool-{worker}", occurrence=number, nanos=1)])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(append, range(4)))
        assert (len(log.steps(RUN)), log.runs(WEEK)[0].nanos) == (100, 100)
