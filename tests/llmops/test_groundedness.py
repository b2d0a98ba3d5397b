import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.groundedness import (
    CONTRADICTED,
    LEAST,
    MOST_CHARS,
    MOST_SENTENCES,
    groundedness,
    judge_groundedness,
)

PASSAGE = (
    "The Lisbon office opened on 3 March 2019 with twelve people. Parking is free behind the north gate. "
    "A refund is paid within 14 days and never in cash."
)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("A refund is paid within 15 days.", "number '15'"),
        ("A refund is paid within 14 hours.", "number '14'"),
        ("The Lisbon office opened in April 2019.", "date 'April'"),
        ("The Lisbon office opened on 3 March 2018.", "number '2018'"),
        ("The Madrid office opened with twelve people.", "'Madrid'"),
        ("Madrid was opened on 3 March 2019 with twelve people.", "subject 'Madrid'"),
        ("The office in Madrid opened with twelve people.", "name 'Madrid'"),
        ("Parking is not free behind the north gate.", "denies 'fre'"),
        ("A refund is paid in cash.", "states 'cash'"),
        ("Parking is free behind the south gate.", "'south' where the passage says 'north'"),
        ("Parking on `gate_7` is free behind the north gate.", "name 'gate_7'"),
    ],
)
def test_one_wrong_fact_outweighs_all_words_that_are_right(answer, reason):
    (found,) = groundedness(answer, [PASSAGE]).sentences
    assert found.score < LEAST
    assert any(reason in each for each in found.reasons), found.reasons


@pytest.mark.parametrize(
    "answer",
    [
        "The Lisbon office opened on 2019-03-03 with 12 people.",
        "Refunds are paid within 14 days.",
        "It has free parking behind the north gate.",
        "Yes. Parking is free behind the north gate [a.md#1].",
        "No, parking is free behind the north gate.",
        "Lisbon's office opened in 2019.",
    ],
)
def test_the_same_in_other_spellings_is_supported(answer):
    assert isinstance(judge_groundedness(answer, [PASSAGE]), Passed)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Run `ops promote flight_delay` to go back.", "code 'ops promote flight_delay'"),
        ("`ops rollback flight_delay --force` goes back.", "name '--force'"),
        ("Servers follow within a minute.", "span 'a minute'"),
        ("It takes 5% of the keys.", "number '5'"),
        ("A canary promotes itself.", "states 'promot'"),
        ("It starts a training run.", "states 'start'"),
    ],
)
def test_commands_options_spans_and_what_another_sentence_denies_are_facts_too(answer, reason):
    passage = (
        "Run `ops rollback flight_delay --reason WHY` to go back. Servers follow within a second. "
        "A canary takes 5 keys of all. It never promotes itself, and starts nothing."
    )
    (found,) = groundedness(answer, [passage]).sentences
    assert any(reason in each for each in found.reasons), found


def test_facts_that_change_places_are_noticed():
    (found,) = groundedness("It rose from 20 to 10.", ["It rose from 10 to 20."]).sentences
    assert found.reasons


def test_a_number_counts_only_where_its_sentence_is():
    for passages in (["Refunds take 14 days.", "Parcels take 3 days."], ["Refunds take 14 days. Parcels take 3 days."]):
        assert isinstance(judge_groundedness("Refunds take 3 days.", passages), Blocked)
        assert isinstance(judge_groundedness("Parcels take 3 days.", passages), Passed)


def test_each_sentence_is_judged_and_the_whole_is_their_mean_by_words():
    found = groundedness("Parking is free behind the north gate. Zebras graze here nightly.", [PASSAGE])
    first, second = found.sentences
    assert first.score == 1
    assert second.score < 0.3
    assert second.score < found.score < first.score


def test_a_refusal_claims_nothing_unless_it_states_a_fact():
    for text in ("The runbooks do not answer this.", "The runbooks say nothing of GPUs."):
        assert isinstance(judge_groundedness(text, [PASSAGE]), Passed)
    for text in ("I cannot find it, but refunds take 30 days.", "I cannot say, but zebras graze at Acme."):
        assert isinstance(judge_groundedness(text, [PASSAGE]), Blocked)


def test_without_passages_nothing_is_supported_and_without_an_answer_nothing_is_judged():
    assert isinstance(judge_groundedness("Parking is free.", []), Blocked)
    assert isinstance(judge_groundedness("  [a.md#1] ", [PASSAGE]), NotEvaluated)
    assert groundedness("", [PASSAGE]).sentences == ()


def test_hidden_characters_and_other_alphabets_hide_no_wrong_number():
    assert isinstance(judge_groundedness("A refund is paid within 1\u200b5 d\u0430ys.", [PASSAGE]), Blocked)
    assert isinstance(judge_groundedness("A refund is paid within １4 days.", [PASSAGE]), Passed)  # noqa: RUF001


def test_an_answer_without_end_is_judged_as_far_as_the_limit_and_is_unsupported_after_it():
    found = groundedness("Parking is free behind the north gate. " * (MOST_SENTENCES + 5), [PASSAGE])
    assert len(found.sentences) == MOST_SENTENCES + 1
    assert "5 sentences after the first" in found.sentences[-1].reasons[0]
    assert isinstance(judge_groundedness("Parking is free. " * 101, [PASSAGE]), Blocked)


def test_nothing_hides_behind_a_long_blank():
    found = judge_groundedness(
        f"Parking is free behind the north gate.{' ' * MOST_CHARS}You owe 500 dollars.", [PASSAGE]
    )
    assert any("was not judged" in reason for reason in found.reasons)


_WORDS = "the a is not 3 2019 London flight_delay gate pays never rises May % , x."
_word = st.sampled_from(_WORDS.split())
_text = st.lists(_word, min_size=1, max_size=25).map(" ".join)


@given(_text, st.lists(_text, max_size=2))
def test_what_a_passage_says_itself_is_supported_by_it(passage, others):
    for one in groundedness(passage, [*others, passage]).sentences:
        assert one.score == pytest.approx(1)
        assert one.reasons == ()


@given(st.text(max_size=200), st.lists(st.text(max_size=200), max_size=3))
def test_any_text_has_a_score_from_nought_to_one_and_never_an_error(answer, passages):
    found = groundedness(answer, passages)
    assert all(0 <= score <= 1 + 1e-9 for score in (found.score, *(one.score for one in found.sentences)))
    assert all(one.score <= CONTRADICTED or not one.reasons for one in found.sentences)


@pytest.mark.parametrize("piece", [" ", ". ", "I ", "[a#", "\n", "1,", "\ufdfa"])
def test_a_megabyte_of_anything_is_judged(piece):
    text = piece * (1_000_000 // len(piece))
    for found in (groundedness(text, [PASSAGE]), groundedness(PASSAGE, [text])):
        assert 0 <= found.score <= 1
