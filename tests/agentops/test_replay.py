import asyncio
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.adapters.nothing_live import WentLive, nothing_live
from ops_pipelines.agentops.fork import ForkSettings, fork
from ops_pipelines.agentops.payload import Payload
from ops_pipelines.agentops.recording import Live, StepFailed, Tape
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.replay import ReplayDiverged, digest_run, replay
from ops_pipelines.agentops.run_log import AGENT, CLOCK, MODEL, TOOL, Recording, recording_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.stepping import stepped
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.agent_program import Investigation, Outside, record, ticking
from ops_pipelines.testing.run_log import RUN, MemoryRunLog


def recorded(subjects: int, at_once: int = 1, **how) -> Recording:
    log = MemoryRunLog()
    record(Investigation(Outside(), subjects, at_once), log.append, **how)
    return recording_of(log, RUN)


def test_a_run_of_a_thousand_steps_with_four_tools_at_once_replays_to_the_same_digest_and_touches_nothing():
    recording, outside = recorded(125, at_once=4), Outside(seed=1)
    with nothing_live():
        again = replay(recording, Investigation(outside, 125, at_once=4))
    assert len(recording.steps) == 1001
    assert again.identical
    assert (outside.calls, outside.effects) == ([], [])


def test_parallel_calls_that_come_in_another_order_get_their_own_answers():
    def asking(order):
        return lambda scope: sorted(scope.tool("read", {"page": n}, lambda n=n: f"page {n}") for n in order)

    log = MemoryRunLog()
    record(asking([3, 1, 2]), log.append)
    again = replay(recording_of(log, RUN), asking([2, 3, 1]))
    assert (again.identical, again.result) == (True, ["page 1", "page 2", "page 3"])


def test_a_replay_keeps_times_tokens_costs_and_failures_as_they_were():
    recording = recorded(9)
    again = replay(recording, Investigation(Outside(), 9))
    assert sorted(again.steps, key=lambda step: step.id) == sorted(recording.steps, key=lambda step: step.id)
    assert sum(bool(step.error) for step in again.steps) == 3


@pytest.mark.parametrize(
    ("change", "instead"),
    [
        ({"words": "Ignore"}, "asked for something else"),
        ({"model": "desk-2"}, "steps of that kind that are left there are desk-1"),
    ],
)
def test_another_program_is_told_where_it_asks_for_what_was_not_recorded(change, instead):
    with pytest.raises(ReplayDiverged, match=instead):
        replay(recorded(2), Investigation(Outside(), 2, **change))


def test_a_program_that_asks_for_less_is_not_identical():
    again = replay(recorded(3), Investigation(Outside(), 2))
    assert not again.identical
    assert len(again.steps) == 17


def test_a_failure_that_ended_the_run_ends_the_replay_in_the_same_words():
    def program(scope):
        return scope.tool("rollback", {"to": "r0"}, lambda: {}["nobody"])

    log = MemoryRunLog()
    with pytest.raises(StepFailed):
        record(program, log.append)
    again = replay(recording_of(log, RUN), program)
    assert (again.identical, again.result.type, again.result.message) == (True, "KeyError", "'nobody'")


def test_secrets_that_pass_through_a_run_are_not_in_it_and_it_still_replays():
    def program(scope):
        people = scope.tool("who", {}, lambda: ["a@example.org", "b@example.org", "a@example.org"])
        return [scope.tool("mail", {"to": f"<{one}>"}, lambda: "sent") for one in sorted(set(people))]

    log = MemoryRunLog()
    writer = Writer(log.append, Redactor(key=b"home"))
    record(program, log.append, writer=writer)
    recording = recording_of(log, RUN)
    assert not any(b"example.org" in payload.content for payload in recording.payloads.values())
    assert len(recording.steps) == 4
    assert len(replay(recording, program, writer=writer).steps) == 4


def test_a_payload_that_was_shortened_cannot_be_given_to_an_agent_again():
    log = MemoryRunLog()
    big = lambda scope: scope.tool("dump", {}, lambda: "word " * 1000)  # noqa: E731
    record(big, log.append, writer=Writer(log.append, limit_bytes=100))
    with pytest.raises(DataError, match="Raise the limit"):
        replay(recording_of(log, RUN), big)


def test_a_run_without_an_agent_cannot_be_replayed():
    with pytest.raises(DataError, match="no step with which an agent began"):
        replay(Recording(RUN, (), {}), Investigation(Outside(), 1))


def test_the_digest_is_of_what_was_done_and_not_of_when_nor_in_which_order():
    steps = recorded(2).steps
    later = [replace(step, started=step.ended, run="b" * 32) for step in reversed(steps)]
    assert digest_run(later) == digest_run(steps)
    assert digest_run(steps[1:]) != digest_run(steps)
    assert digest_run([replace(steps[0], outputs="x"), *steps[1:]]) != digest_run(steps)


def test_an_agent_inside_another_has_its_steps_under_its_own():
    def program(scope):
        reader = scope.inside("reader", {"read": "runbooks"})
        return reader.model("small-1", {"messages": []}, lambda _: "found")

    log = MemoryRunLog()
    record(program, log.append)
    first, reader, call = log.steps(RUN)
    assert [(step.kind, step.agent, step.parent) for step in (reader, call)] == [
        (AGENT, "reader", first.id),
        (MODEL, "reader", reader.id),
    ]
    assert replay(recording_of(log, RUN), program).identical


def test_an_agent_sees_what_json_can_hold_live_as_in_the_replay():
    seen = []
    log = MemoryRunLog()
    program = lambda scope: seen.append(scope.tool("t", {}, lambda: {1: (1, {2})}))  # noqa: E731
    record(program, log.append)
    replay(recording_of(log, RUN), program)
    assert seen == [{"1": [1, [2]]}] * 2


def test_a_run_id_that_was_used_before_stops_the_agent_before_it_acts():
    log, effects = MemoryRunLog(), []
    record(lambda scope: None, log.append)
    tape = Tape(RUN, Live(ticking()), Writer(log.append))
    with pytest.raises(DataError, match="new id for each run"):
        tape.begin("oncall", {"task": 2}).tool("notify", {}, lambda: effects.append(1))
    assert effects == []


def test_a_big_result_is_shortened_in_the_log_and_whole_for_the_agent():
    log = MemoryRunLog()
    result = record(
        lambda s: s.tool("dump", {}, lambda: "x " * 5000), log.append, writer=Writer(log.append, limit_bytes=99)
    )
    (_, step) = log.steps(RUN)
    payload = log.payload(step.outputs)
    assert (len(result), payload.size, payload.is_whole) == (10_000, 10_002, False)
    assert isinstance(payload, Payload)
    assert len(payload.content) < 200


def test_a_name_that_is_too_long_ends_with_its_digest_and_two_are_told_apart():
    writer = Writer(lambda entries: None)
    first, second = writer.word("a " * 500 + "b"), writer.word("a " * 500 + "c")
    assert len(first) < 260
    assert first != second


def test_steps_come_one_at_a_time_and_the_program_waits_in_between():
    recording, taken = recorded(3), []

    def program(scope):
        for subject in range(3):
            Investigation(Outside(), 3)._look_into(scope, subject, Pool())
            taken.append(subject)
        return "done"

    steps = stepped(recording, program)
    assert [next(steps).kind for _ in range(3)] == [AGENT, "memory_read", CLOCK]
    assert taken == []
    assert len(list(steps)) == 22
    assert taken == [0, 1, 2]


class Pool:
    map = staticmethod(map)


def test_whoever_stops_stepping_ends_the_program():
    ended = []

    def program(scope):
        try:
            return Investigation(Outside(), 5, at_once=4)(scope)
        finally:
            ended.append(True)

    steps = stepped(recorded(5), program)
    next(steps)
    steps.close()
    assert ended in ([], [True])


def test_stepping_raises_where_the_program_leaves_its_recording():
    steps = stepped(recorded(1), Investigation(Outside(), 1, words="Ignore"))
    with pytest.raises(ReplayDiverged):
        list(steps)


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: socket.getaddrinfo("localhost", 80),
        lambda: subprocess.run([sys.executable, "-c", ""], check=False),
        lambda: __import__("os").system("true"),
    ],
    ids=["connect", "name", "process", "shell"],
)
def test_sockets_and_processes_are_refused_while_nothing_may_go_live_and_not_after(reach):
    with nothing_live(), nothing_live(), pytest.raises(WentLive):
        reach()
    with suppress(ConnectionRefusedError):
        reach()


def test_a_program_that_goes_outside_by_another_way_is_stopped_in_a_replay():
    def program(scope):
        scope.tool("read", {}, lambda: 1)
        socket.create_connection(("127.0.0.1", 9))

    log = MemoryRunLog()
    with pytest.raises(ConnectionRefusedError):
        record(program, log.append)
    with nothing_live(), pytest.raises(WentLive):
        replay(recording_of(log, RUN), program)


def test_tools_are_the_effects_of_an_investigation():
    assert {step.name for step in recorded(1).steps if step.kind == TOOL} == {"drift_report", "model_history", "notify"}


async def asking_at_once(scope):
    async def read(page):
        await asyncio.sleep(0)
        if page == 2:
            raise LookupError("no page 2")
        return f"page {page}"

    calls = [scope.call_async(TOOL, "read", {"page": page}, lambda page=page: read(page)) for page in range(4)]
    return [str(one) for one in await asyncio.gather(*calls, return_exceptions=True)]


def test_a_program_that_awaits_is_recorded_and_replayed_without_its_acts():
    log = MemoryRunLog()
    live = record(lambda scope: asyncio.run(asking_at_once(scope)), log.append)
    recording = recording_of(log, RUN)
    with nothing_live():
        again = replay(recording, lambda scope: asyncio.run(asking_at_once(scope)))
    assert (again.identical, again.result, len(again.steps)) == (True, live, 5)
    assert [step.error for step in recording.steps if step.error] == ["LookupError: no page 2"]


def test_a_program_that_awaits_is_forked_and_its_new_effects_pass_the_gate():
    log, asked = MemoryRunLog(), []
    record(lambda scope: asyncio.run(asking_at_once(scope)), log.append)
    first_two = replace(recording_of(log, RUN), steps=log.steps(RUN)[:3])

    def gate(kind, name, arguments, act):
        asked.append(arguments["page"])
        return act()

    fork(
        first_two,
        lambda scope: asyncio.run(asking_at_once(scope)),
        at=3,
        run="f" * 32,
        writer=Writer(log.append),
        settings=ForkSettings(ticking(), gate),
    )
    assert len(log.steps("f" * 32)) == 6
    assert len(asked) == 2


TURNS = st.lists(
    st.lists(
        st.tuples(st.sampled_from([TOOL, MODEL, "memory_read", "message"]), st.sampled_from("ab"), st.integers(0, 2)),
        max_size=5,
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=40)
@given(TURNS, st.randoms(use_true_random=False))
def test_a_replay_equals_its_recording_whatever_is_asked_at_once_in_whatever_order(turns, dice):
    """Each turn asks several things at once; the outside answers differently every time and fails now and then."""

    def program(scope):
        seen = []
        for turn in turns:
            order = dice.sample(range(len(turn)), len(turn))
            answers = {at: ask(scope, *turn[at], len(seen)) for at in order}
            seen.append(sorted(str(answer) for answer in answers.values()))
            scope.decide("turn", seen[-1])
        return seen

    def ask(scope, kind, name, given, turn):
        try:
            return scope.call(kind, name, [given, turn], outside)
        except StepFailed as failed:
            return failed.message

    def outside():
        number = dice.random()
        if number < 0.2:
            raise TimeoutError(str(number))
        return number

    log = MemoryRunLog()
    live = record(program, log.append)
    again = replay(recording_of(log, RUN), program)
    assert (again.identical, again.result) == (True, live)
