import pytest

from ops_pipelines.agentops.evaluation.recorded import judge_recorded, redacted
from ops_pipelines.agentops.evaluation.task import CallPattern, Expected, ExpectedCall, Task, TaskSet
from ops_pipelines.agentops.fork import ForkSettings, fork
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import Recording, recording_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.testing.agent_program import ticking
from ops_pipelines.testing.run_log import MemoryRunLog
from ops_pipelines.testing.task_runs import did, recorded

GIVEN = {"alarm": "drift"}
BOB, EVE = "bob@acme.example", "eve@evil.example"
TASK = Task(
    "tell", GIVEN, Expected(calls=(ExpectedCall("notify", {"to": BOB}),), never=(CallPattern("notify", {"to": EVE}),))
)
KEYED = Redactor(key=b"of this home")


def judged(*recordings, redactor: Redactor = KEYED):
    return judge_recorded(TaskSet("oncall", (TASK,), "d"), recordings, acts={"notify"}, redactor=redactor)


def test_runs_of_a_task_are_its_repeats_and_others_are_of_none():
    other = recorded(did("look"), run="c" * 32, task={"alarm": "none"})
    found = judged(recorded(did("look"), redactor=KEYED), other, recorded(did("notify", to=BOB), redactor=KEYED))
    assert [(verdict.repeat, verdict.success) for verdict in found.verdicts] == [(0, False), (1, True)]
    assert found.of_no_task == ("c" * 32,)


@pytest.mark.parametrize(("to", "succeeds"), [(BOB, True), (EVE, False)])
def test_an_address_that_the_log_does_not_hold_is_told_from_another_by_its_mark(to, succeeds):
    recording = recorded(did("notify", "sent", to=to), redactor=KEYED)
    assert all(to.encode() not in payload.content for payload in recording.payloads.values())
    assert judged(recording).verdicts[0].success is succeeds


def test_marks_change_nothing_that_is_no_secret():
    plain = Task("june", GIVEN, Expected(outcome={"done": True}, calls=(ExpectedCall("look", {"week": 25}, "first"),)))
    assert redacted(plain, KEYED) == plain


def test_a_fork_is_of_the_task_that_it_was_given():
    log = MemoryRunLog()
    writer = Writer(log.append)
    fork(recorded(did("look")), lambda scope: None, at=0, run="f" * 32, writer=writer, settings=ForkSettings(ticking()))
    assert [verdict.run for verdict in judged(recording_of(log, "f" * 32)).verdicts] == ["f" * 32]


def test_a_run_without_a_step_is_of_no_task():
    assert judged(Recording("d" * 32, (), {})).of_no_task == ("d" * 32,)
