from dataclasses import replace
from itertools import count

import pytest

from ops_pipelines.agentops.fork import Forked, ForkSettings, NewRequest, NewResult, fork
from ops_pipelines.agentops.recording import StepFailed
from ops_pipelines.agentops.replay import ReplayDiverged, replay
from ops_pipelines.agentops.run_log import EFFECT_KINDS, MEMORY_READ, MODEL, TOOL, Recording, recording_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.testing.agent_program import EFFECT, READS, Investigation, Outside, record, ticking
from ops_pipelines.testing.run_log import RUN, MemoryRunLog

FORK = "f" * 32
SUBJECTS = 6


class Gate:
    """Lets every effect through and says what it was asked for."""

    def __init__(self) -> None:
        self.asked = []

    def __call__(self, kind, name, arguments, act):
        self.asked.append((name, arguments))
        return act()


def only_notify(kind: str, name: str) -> bool:
    return kind in EFFECT_KINDS and name not in READS


@pytest.fixture(scope="module")
def log() -> MemoryRunLog:
    log = MemoryRunLog()
    record(Investigation(Outside(), SUBJECTS), log.append)
    return log


@pytest.fixture(scope="module")
def recording(log) -> Recording:
    return recording_of(log, RUN)


def forked(
    recording: Recording, *, at: int, edit=None, outside=None, gate=None, subjects=SUBJECTS, **program
) -> Forked:
    kept = MemoryRunLog()
    settings = ForkSettings(ticking(), gate or Gate(), only_notify)
    agent = Investigation(outside or Outside(), subjects, **program)
    return fork(recording, agent, at=at, run=FORK, writer=Writer(kept.append), settings=settings, edit=edit)


def at_first(recording: Recording, kind: str, name: str = "") -> int:
    return next(at for at, step in enumerate(recording.steps) if step.kind == kind and name in step.name)


@pytest.mark.parametrize("at", range(50))
def test_at_every_step_the_prefix_is_identical_and_no_effect_of_the_parent_is_repeated(recording, at):
    outside, gate = Outside(seed=7), Gate()
    found = forked(recording, at=at, outside=outside, gate=gate)
    assert [replace(step, run=RUN) for step in found.steps[:at]] == list(recording.steps[:at])
    done = [recording.value(step.inputs) for step in recording.steps if step.name == EFFECT]
    assert [effect for effect in outside.effects if effect in done] == []
    assert [arguments for _, arguments in gate.asked] == outside.effects


def test_a_fork_without_an_edit_at_its_end_is_the_run_itself(recording):
    found = forked(recording, at=len(recording.steps))
    assert [step.id for step in found.steps] == [step.id for step in recording.steps]
    assert found.repeated == ()


def test_an_effect_that_the_run_had_is_answered_from_the_recording_and_not_done_again():
    def program(scope):
        scope.model("desk-1", {"n": next(numbers)}, lambda _: "go")
        return [scope.tool("pay", {"cents": 5}, lambda: effects.append(1) or len(effects)) for _ in range(3)]

    numbers, effects, log = count(), [], MemoryRunLog()
    record(lambda scope: program(scope)[:2], log.append)
    recording, effects[:] = recording_of(log, RUN), []
    two = Recording(RUN, recording.steps[:4], recording.payloads)
    settings = ForkSettings(ticking())
    found = fork(two, program, at=1, run=FORK, writer=Writer(log.append), settings=settings)
    assert isinstance(found.result, StepFailed)
    assert found.result.type == "NotAllowed"
    assert (len(found.repeated), effects) == (2, [])


def test_an_edited_result_is_what_the_agent_sees_and_the_tool_is_not_called(recording):
    at, outside = at_first(recording, TOOL), Outside()
    found = forked(recording, at=at, edit=NewResult({"report": "all is well"}), outside=outside)
    prompts = [step for step in found.steps if step.kind == MODEL]
    assert found.steps[at].inputs == recording.steps[at].inputs
    assert found.steps[at].outputs != recording.steps[at].outputs
    assert prompts[0].inputs != next(step.inputs for step in recording.steps if step.kind == MODEL)
    assert outside.calls[0] == READS[1]


def test_an_edited_memory_is_what_the_agent_reads(recording):
    at = at_first(recording, MEMORY_READ)
    outside = Outside()
    forked(recording, at=at, edit=NewResult(["nothing happened"]), outside=outside)
    assert outside.calls.count("memory") == SUBJECTS - 1


def test_an_edited_prompt_is_what_the_model_is_asked(recording):
    at, asked = at_first(recording, MODEL), []
    request = {"model": "desk-2", "messages": [{"role": "user", "content": "Be brief."}]}
    edit = NewRequest(request, lambda inputs: asked.append(inputs) or {"text": "brief"})
    found = forked(recording, at=at, edit=edit)
    assert asked == [request]
    assert found.steps[at].inputs != recording.steps[at].inputs
    assert found.steps[at].id == recording.steps[at].id


def test_an_edited_prompt_is_asked_by_the_program_itself(recording):
    at, outside = at_first(recording, MODEL), Outside()
    request = {"model": "desk-1", "messages": [{"role": "user", "content": "Be brief."}]}
    found = forked(recording, at=at, edit=NewRequest(request), outside=outside)
    assert found.steps[at].outputs == digest_json(outside.model(request).value)
    assert found.steps[at].inputs == digest_json(request)


def test_a_tool_is_not_asked_for_something_else_where_nothing_says_how(recording):
    with pytest.raises(ConfigError, match="nothing says how"):
        forked(recording, at=at_first(recording, TOOL), edit=NewRequest({"model": "other"}))


def test_edited_arguments_of_an_effect_pass_the_gate(recording):
    at, gate, outside = at_first(recording, TOOL, EFFECT), Gate(), Outside()
    forked(recording, at=at, edit=NewRequest({"text": "no"}, outside.notify), outside=outside, gate=gate)
    assert gate.asked[0] == (EFFECT, {"text": "no"})


@pytest.mark.parametrize("kind", [TOOL, MODEL])
def test_a_fork_can_itself_be_replayed(recording, kind):
    kept, outside = MemoryRunLog(), Outside()
    edit = NewResult({"text": "x"}) if kind == TOOL else NewRequest({"messages": []}, lambda inputs: {"text": "y"})
    settings = ForkSettings(ticking(), Gate(), only_notify)
    agent, at = Investigation(outside, SUBJECTS), at_first(recording, kind)
    fork(recording, agent, at=at, run=FORK, writer=Writer(kept.append), settings=settings, edit=edit)
    before = len(outside.calls)
    assert replay(recording_of(kept, FORK), agent).identical
    assert len(outside.calls) == before


def test_a_fork_of_a_fork_is_replayed_with_both_edits(recording):
    kept, agent = MemoryRunLog(), Investigation(Outside(), SUBJECTS)
    settings, asked = (
        ForkSettings(ticking(), Gate(), only_notify),
        NewRequest({"messages": []}, lambda inputs: {"text": "y"}),
    )
    models = [at for at, step in enumerate(recording.steps) if step.kind == MODEL]
    for run, at in (("d" * 32, models[0]), ("e" * 32, models[1])):
        fork(recording, agent, at=at, run=run, writer=Writer(kept.append), settings=settings, edit=asked)
        recording = recording_of(kept, run)
    assert replay(recording, agent).identical


def test_an_edited_task_is_what_the_agent_is_given(recording):
    kept, given = MemoryRunLog(), []

    def program(scope):
        given.append(scope.task)

    settings, edit = ForkSettings(ticking()), NewRequest({"alarm": "none"}, lambda inputs: None)
    fork(recording, program, at=0, run=FORK, writer=Writer(kept.append), settings=settings, edit=edit)
    replay(recording_of(kept, FORK), program)
    replay(recording, program)
    assert given == [{"alarm": "none"}, {"alarm": "none"}, {"alarm": "drift of flight_delay"}]


def test_a_fork_says_of_which_run_and_step_it_is(recording):
    kept = MemoryRunLog()
    settings = ForkSettings(ticking(), Gate(), only_notify)
    fork(recording, Investigation(Outside(), SUBJECTS), at=5, run=FORK, writer=Writer(kept.append), settings=settings)
    (note,) = [step for step in kept.steps(FORK) if step.name == "fork"]
    assert kept.payload(note.inputs).value() == {"of": RUN, "at": 5, "own": 5, "edited": {}}


def test_parallel_tools_of_the_parent_may_come_in_another_order():
    log = MemoryRunLog()
    record(Investigation(Outside(), 4, at_once=4), log.append)
    recording = recording_of(log, RUN)
    for at in range(len(recording.steps) + 1):
        found = forked(recording, at=at, subjects=4, at_once=4)
        ids = {step.id for step in found.steps}
        assert {step.id for step in recording.steps[:at]} <= ids
        assert len(ids) == len(found.steps)


@pytest.mark.parametrize("change", [{"words": "Ignore"}, {"subjects": 1}], ids=["asks otherwise", "ends early"])
def test_a_program_that_leaves_the_run_before_the_fork_is_refused(recording, change):
    with pytest.raises(ReplayDiverged):
        forked(recording, at=30, **change)


@pytest.mark.parametrize("at", [-1, 50])
def test_a_step_that_the_run_does_not_have_cannot_be_forked_at(recording, at):
    with pytest.raises(ConfigError, match="no step"):
        forked(recording, at=at)


def test_without_a_gate_no_new_effect_is_done(recording):
    outside = Outside(seed=3)
    settings = ForkSettings(ticking(), is_effect=only_notify)
    agent = Investigation(outside, SUBJECTS)
    found = fork(recording, agent, at=3, run=FORK, writer=Writer(MemoryRunLog().append), settings=settings)
    assert isinstance(found.result, StepFailed)
    assert outside.effects == []
