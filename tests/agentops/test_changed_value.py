import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.changed_value import changed
from ops_pipelines.core.errors import ConfigError

REQUEST = {"messages": [{"role": "user", "content": "Judge."}], "settings": {}}


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        ("mesages.0", "the request has no 'mesages'", "one of messages, settings"),
        ("messages.1.content", "messages has no '1'", "a number from 0 to 0"),
        ("messages.last", "messages has no 'last'", "a number from 0 to 0"),
        ("messages.0.role.x", "messages.0.role has no 'x'", "a str has no parts"),
        ("settings.a.b", "settings has no 'a'", "it is empty"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_what_is_there(path, said, expected):
    with pytest.raises(ConfigError, match=said) as raised:
        changed(REQUEST, {path: 1})
    assert expected in raised.value.expected


def test_a_misspelt_name_is_told_with_the_nearest():
    with pytest.raises(ConfigError) as raised:
        changed(REQUEST, {"mesages.0": 1})
    assert raised.value.action == "Did you mean 'messages'?"


@given(st.text(), st.floats(0, 1))
def test_what_is_changed_is_there_and_the_request_itself_stays_as_it_was(words, heat):
    made = changed(REQUEST, {"messages.0.content": words, "settings.temperature": heat})
    assert (made["messages"][0]["content"], made["settings"]["temperature"]) == (words, heat)
    assert made["messages"][0]["role"] == "user"
    assert REQUEST == {"messages": [{"role": "user", "content": "Judge."}], "settings": {}}
