import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.llmops.refusal import is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, but I can\u2019t help with that.",
        "As an AI, I am not able to provide medical advice.",
        "Unfortunately, I must decline this request.",
        "It would be unethical for me to write this.",
        "That goes against my guidelines.",
        "The runbooks do not answer this.",
        "The provided context does not contain the answer.",
        "I could not find anything about parking.",
        "Here is the first part. However, I cannot provide the second one.",
        "We won't be able to assist you with this.",
        "I c\u200bannot help with that.",
    ],
)
def test_declining_is_a_refusal_in_whatever_words(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I can't wait to help you with this!",
        "I cannot recommend it enough.",
        "I can't stress this enough: back it up first.",
        "I'm sorry to hear that. Run `ops rollback SYSTEM`.",
        'The customer said "I cannot help you" and left.',
        "A process that cannot be killed is a zombie.",
        "You cannot roll back a release that never went live.",
        "To kill a process, use `kill -9`.",
        "The gate refuses a release whose judge never ran.",
    ],
)
def test_talking_of_inability_is_none(text):
    assert not is_refusal(text)


@given(st.text(max_size=500))
def test_any_text_has_an_answer(text):
    assert is_refusal(text) in (True, False)


@pytest.mark.parametrize("piece", [" ", "I ", "I can", "against ", '"', "sorry ", "I really ", "passages do", "not "])
def test_a_megabyte_of_anything_has_an_answer(piece):
    assert is_refusal(piece * (1_000_000 // len(piece))) in (True, False)
