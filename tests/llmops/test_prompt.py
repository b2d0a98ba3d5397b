import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.llmops.chat_model import Message
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.prompt_text import read_prompt_text
from ops_pipelines.llmops.template import RenderError

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "reasoning": {"type": "string"}},
    "required": ["reasoning", "answer"],
}
PROMPT = Prompt(
    name="answers",
    messages=(Message("system", "Cite."), Message("user", "{{ passages }}\n{{ question }}")),
    variables={"question": "text", "passages": "text"},
    provider="openai",
    model="gpt-5-mini-2025-08-07",
    parameters={"temperature": 0, "max_tokens": 200},
    response_schema=SCHEMA,
)
VALUES = {"question": "What is live?", "passages": "[a#1]\n    It is {{ live }}."}
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20).filter(
    str.strip
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.floats(-10, 10) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
prompts = st.builds(
    Prompt,
    name=st.just("answers"),
    messages=st.lists(
        st.builds(Message, st.sampled_from(["system", "user", "assistant"]), words), min_size=1, max_size=3
    ).map(tuple),
    variables=st.dictionaries(
        st.from_regex(r"[b-d][a-z]{2,6}x", fullmatch=True), st.sampled_from(["text", "number", "list"])
    ),
    provider=words,
    model=words,
    parameters=st.dictionaries(words, json_values, max_size=3),
    response_schema=st.none() | st.dictionaries(words, json_values, min_size=1, max_size=3),
)


def written(prompt: Prompt, *, sort: bool, width: int, flow: bool) -> str:
    """The prompt as YAML, laid out in one of many ways, with a comment on top."""
    record = {key: value for key, value in prompt.to_json().items() if value is not None}
    keys = sorted(record, reverse=not sort)
    text = yaml.safe_dump(
        {key: record[key] for key in keys}, sort_keys=sort, width=width, default_flow_style=flow, allow_unicode=True
    )
    return f"# {width}\n{text}"


@settings(max_examples=40)  # YAML is read three times, and slowly
@given(prompts, st.booleans(), st.integers(20, 200), st.booleans())
def test_how_the_file_is_laid_out_never_changes_the_id(prompt, sort, width, flow):
    read = read_prompt_text("answers", written(prompt, sort=sort, width=width, flow=flow))
    assert read.prompt is not None, read.findings
    assert read.prompt.id == prompt.id


@given(prompts)
def test_what_is_stored_reads_back_as_the_same_prompt(prompt):
    stored = json.loads(json.dumps(prompt.to_json()))
    assert Prompt.from_json("answers", stored) == prompt
    assert digest_bytes(canonical_json(stored)) == prompt.id


@given(prompts, st.data())
def test_an_edit_of_any_part_changes_the_id(prompt, data):
    part = data.draw(st.sampled_from(["messages", "variables", "provider", "model", "parameters", "response_schema"]))
    edited = replace(prompt, **{part: data.draw(EDITS[part](prompt))})
    assert (edited.id == prompt.id) == (edited == prompt)
    assert edited != prompt


EDITS = {
    "messages": lambda prompt: st.one_of(
        st.just((*prompt.messages, Message("user", "and?"))),
        st.just((replace(prompt.messages[0], content=prompt.messages[0].content + " "), *prompt.messages[1:])),
        st.just((replace(prompt.messages[0], role="other"), *prompt.messages[1:])),
    ),
    "variables": lambda prompt: st.just({**prompt.variables, "another": "text"}),
    "provider": lambda prompt: words.map(lambda word: prompt.provider + word),
    "model": lambda prompt: words.map(lambda word: word + prompt.model),
    "parameters": lambda prompt: st.just({**prompt.parameters, "a longer name than any of these": 1}),
    "response_schema": lambda prompt: st.just({**(prompt.response_schema or {}), "a longer name than any of these": 1}),
}


def test_neither_its_name_nor_how_a_number_is_written_is_part_of_the_id():
    assert replace(PROMPT, name="other").id == PROMPT.id
    assert replace(PROMPT, parameters={"max_tokens": 200.0, "temperature": 0.0}).id == PROMPT.id
    assert replace(PROMPT, parameters={"max_tokens": 200, "temperature": False}).id != PROMPT.id


def test_equal_ids_send_equal_requests_with_properties_in_the_order_of_required():
    other = replace(PROMPT, response_schema=json.loads(json.dumps(SCHEMA, sort_keys=True)))
    requests = [json.dumps(prompt.request(VALUES).response_schema) for prompt in (PROMPT, other)]
    assert requests[0] == requests[1]
    assert list(PROMPT.request(VALUES).response_schema["properties"]) == ["reasoning", "answer"]


def test_the_order_of_required_is_content():
    turned = {**SCHEMA, "required": ["answer", "reasoning"]}
    assert replace(PROMPT, response_schema=turned).id != PROMPT.id


def test_a_request_has_the_values_in_their_places_and_everything_that_was_pinned():
    request = PROMPT.request(VALUES)
    assert request.messages == (
        Message("system", "Cite."),
        Message("user", "[a#1]\n    It is {{ live }}.\nWhat is live?"),
    )
    assert (request.model, dict(request.parameters)) == (PROMPT.model, {"max_tokens": 200, "temperature": 0})


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"question": "x"}, "is given no 'passages'"),
        ({"passages": "", "qestion": "x"}, "Did you mean 'qestion'\\?"),
        ({**VALUES, "tone": "kind"}, "takes no 'tone'"),
        ({**VALUES, "question": 3}, "int and no text"),
        ({**VALUES, "question": None}, "NoneType and no text"),
        ({**VALUES, "question": "x" * 1_000_001}, "at most 1,000,000 characters"),
    ],
)
def test_values_that_are_missing_extra_or_of_another_kind_are_told_with_the_nearest_name(values, why):
    with pytest.raises(RenderError, match=why):
        PROMPT.render(values)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", [0, -1.5], [True, "1", float("nan"), float("inf"), 1e19]),
        ("flag", [True, False], [1, "yes", None]),
        ("list", [[], ["a", 1], [{"id": "a", "text": "b"}]], ["ab", [None], [["a"]], [{"a": {"b": 1}}], [object()]]),
    ],
)
def test_a_value_is_plain_data_of_its_kind(kind, good, bad):
    prompt = replace(PROMPT, messages=(Message("user", "{% if x %}y{% endif %}"),), variables={"x": kind})
    assert all(prompt.render({"x": value}) for value in good)
    for value in bad:
        with pytest.raises(RenderError, match=f"no {kind}"):
            prompt.render({"x": value})


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, {"at": object()}, [float("inf")]])
def test_what_has_no_canonical_json_is_refused(value):
    with pytest.raises(ConfigError, match="has no canonical JSON"):
        replace(PROMPT, parameters={"odd": value})
