import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.evals.label import labelled, read_labels, sheet, stale
from ops_pipelines.testing.evaluation_log import evaluation_of, label_of

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
MADE = evaluation_of("It is so.", "It is not.", "Nobody knows.")


def filled(labels=(1, 0, None), **changes):
    """The sheet as it comes back, one label a line."""
    lines = [json.loads(line) for line in sheet(MADE.id, MADE.run).splitlines()]
    pairs = zip(lines, labels, strict=True)
    return "\n".join(json.dumps({**line, "label": label, "by": "ada", **changes}) for line, label in pairs)


def mistakes(text):
    with pytest.raises(DataError) as refused:
        read_labels(text, at=NOON)
    return refused.value.facts["mistakes"]


def test_a_sheet_shows_what_was_answered_from_what_and_no_score():
    line = next(line for line in map(json.loads, sheet(MADE.id, MADE.run).splitlines()) if line["case"] == "c0")
    assert (line["question"], line["answer"], line["passages"], line["label"]) == (
        "Question 0?",
        "It is so.",
        ["[a.md#1] It is so."],
        None,
    )
    assert not {"scores", "why"} & set(line)


def test_the_order_of_a_sheet_is_drawn_and_stays():
    drawn = [json.loads(line)["case"] for line in sheet(MADE.id, MADE.run).splitlines()]
    assert sorted(drawn) == ["c0", "c1", "c2"]
    assert [json.loads(line)["case"] for line in sheet(MADE.id, MADE.run, most=2).splitlines()] == drawn[:2]


def test_labels_are_read_and_what_has_none_is_passed_over():
    labels = read_labels(filled(), at=NOON)
    assert [(label.value, label.by, label.at, label.evaluation) for label in labels] == [
        (1.0, "ada", NOON, MADE.id),
        (0.0, "ada", NOON, MADE.id),
    ]


def test_whoever_labels_may_be_named_once_for_all_lines():
    assert {label.by for label in read_labels(filled(by=""), at=NOON, by="bo")} == {"bo"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (filled((2, None, None)), "line 1: 'label' is 2, and has to be from 0 to 1"),
        (filled((True, None, None)), "line 1: 'label' is True"),
        (filled((1, None, None), by=" "), "line 1: 'by' names nobody"),
        (filled((None, 1, None), answer="I changed it."), "line 2: the answer's text was changed"),
        (filled((1, None, None), at="2026-03-05"), "line 1: 'at' is '2026-03-05'"),
        (filled((1, None, None), labl=1), "line 1: unknown key 'labl'. Did you mean 'label'?"),
        (filled((1, None, None)) + "\n" + filled((0, None, None)), "line 1: ada labels"),
        (filled((None, None, None)), "no line has a label"),
        ("", "no line has a label"),
        ("not json", "line 1: no JSON"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_nothing_is_taken(text, words):
    assert words in mistakes(text)[0]


def test_a_label_of_another_text_is_stale_and_says_so():
    label = label_of(MADE)
    other = evaluation_of("It was so.")
    assert stale([label], MADE.run) == ()
    assert stale([label], other.run) == (
        "the label of 'c0' (repeat 0) by ada is stale: it is about another answer's text",
    )
    assert "there is no such answer" in stale([replace(label, case="gone")], MADE.run)[0]


def test_a_label_holds_for_the_same_text_in_a_later_evaluation_and_for_no_other():
    later = evaluation_of("It is so.", "It was not.", at=NOON)
    labels = [label_of(MADE), label_of(MADE, "c1", 0.0)]
    assert labelled(later.run, labels) == {("c0", 0): 1.0}


def test_what_several_people_say_is_averaged_and_what_one_said_last_holds():
    labels = [label_of(MADE), label_of(MADE, value=0.5, by="bo"), label_of(MADE, value=0.0, at=NOON)]
    assert labelled(MADE.run, labels) == {("c0", 0): 0.25}


def test_another_aspect_is_another_question():
    assert labelled(MADE.run, [label_of(MADE, aspect="polite")]) == {}
