import pytest

from ops_pipelines.agentops.evaluation.task import APPROVE, CallPattern, ExpectedCall, Reading, WorldAnswer
from ops_pipelines.agentops.evaluation.task_file import read_tasks
from ops_pipelines.core.errors import DataError

TASK = """
tasks:
  - id: june
    cluster: storms
    task: {alarm: drift}
    world:
      - tool: releases
        arguments: {system: flight_delay}
        answers: [{error: the store is down}, {result: [r600]}]
    person: approve
    persons: {retrain: deny}
    expected:
      outcome: {done: true}
      calls: [{tool: releases}, {tool: roll_back, name: back, arguments: {to: r600}}]
      before: [[releases, back]]
      never: [{tool: retrain, arguments: any}]
      reads: [{from: releases, value: "0", tool: roll_back, argument: to}]
      may: [{tool: notify}]
"""


def test_a_task_is_read_with_its_world_its_people_and_all_that_is_expected():
    (task,) = read_tasks("oncall", TASK).tasks
    assert task.world[0].answers == (WorldAnswer(error="the store is down"), WorldAnswer(["r600"]))
    assert (task.person_for("roll_back"), task.person_for("retrain"), task.draw) == (APPROVE, "deny", "storms")
    expected = task.expected
    assert expected.calls == (
        ExpectedCall("releases", None, "releases"),
        ExpectedCall("roll_back", {"to": "r600"}, "back"),
    )
    assert (expected.never, expected.may) == ((CallPattern("retrain"),), (CallPattern("notify"),))
    assert expected.reads == (Reading("releases", "0", "roll_back", "to"),)


def test_the_digest_is_of_what_is_said_and_not_of_how_it_is_laid_out():
    laid_out = TASK.replace("{alarm: drift}", "{ alarm:  'drift' }").replace("tasks:", "# the storms of June\ntasks:")
    assert read_tasks("oncall", laid_out).digest == read_tasks("oncall", TASK).digest
    assert read_tasks("oncall", TASK.replace("r600}", "r500}")).digest != read_tasks("oncall", TASK).digest


@pytest.mark.parametrize(
    ("wrong", "by", "told"),
    [
        ("never:", "nevr:", "line 16: unknown key 'nevr'. Did you mean 'never'?"),
        ("person: approve", "person: aprove", "line 10: a person does not 'aprove'. Did you mean 'approve'?"),
        ("[releases, back]", "[releases, bck]", "line 15: no call is named 'bck'. Did you mean 'back'?"),
        ("[[releases, back]]", "[[releases, back], [back, releases]]", "line 15: these pairs go round in a circle"),
        (
            "{tool: retrain, arguments: any}",
            "{tool: roll_back}",
            "roll_back(to='r600') is needed, and may never be done",
        ),
        ("{error: the store is down}", "{eror: down}", "Did you mean 'error'?"),
        ("{result: [r600]}", "{result: 1, error: down}", "an answer has either a 'result' or an 'error'"),
        ("{error: the store is down}, {result: [r600]}", "", "line 9: this has to be a list with something in it"),
        ("id: june", "name: june", "line 3: there is no 'id'"),
        ("cluster: storms", "cluster: 7", "line 4: this has to be a text that is not blank"),
        ("arguments: any", "arguments: all", "line 16: arguments are a mapping of names, or the word any"),
        ("persons: {retrain: deny}", "persons: deny", "line 11: a mapping of tools to approve, deny, absent"),
        ("task: {alarm: drift}", "task: {since: 2026-03-05}", "line 5: 2026-03-05 is nothing that JSON can hold"),
        ("task: {alarm: drift}", "task: {on: 1}", "line 5: a name has to be a text, and True is none"),
        ("task: {alarm: drift}", "task: &a {alarm: drift}", "line 5: an anchor or an alias"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_was_probably_meant(wrong, by, told):
    assert wrong in TASK
    with pytest.raises(DataError) as caught:
        read_tasks("oncall", TASK.replace(wrong, by))
    assert told in str(caught.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(DataError) as caught:
        read_tasks("oncall", TASK.replace("never:", "nevr:").replace("may:", "mai:"))
    assert len(caught.value.facts["mistakes"]) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tasks: []", "a list with something in it"),
        ("tasks:\n  - {id: a, task: 1, expected: {}}", "line 2: nothing is expected"),
        ("tasks:\n  - {id: a, task: 1, expected: {before: []}}", "line 2: nothing is expected"),
        (
            "tasks:\n  - {id: a, task: 1, expected: {calls: []}}\n  - {id: a, task: 2, expected: {calls: []}}",
            "line 3: the id 'a' is that of task 1",
        ),
        (
            "tasks:\n  - {id: a, task: 1, expected: {calls: [{tool: b}, {tool: b}], before: [[b, b]]}}",
            "2 calls are named 'b': give each a name",
        ),
        ("- id: a", "the file holds no mapping"),
    ],
)
def test_tasks_that_no_run_could_fail_or_fulfil_are_refused(text, told):
    with pytest.raises(DataError) as caught:
        read_tasks("oncall", text)
    assert told in str(caught.value)
