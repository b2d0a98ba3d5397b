from dataclasses import replace

from hypothesis import given

from ops_pipelines.llmops.chat_model import Message
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.prompt_diff import diff_prompts

from .test_prompt import prompts

FIRST = Prompt(
    name="answers",
    messages=(Message("system", "Be brief.\nCite.\n"), Message("user", "{{ question }}")),
    variables={"question": "text"},
    provider="openai",
    model="gpt-5-mini-2025-08-07",
    parameters={"temperature": 0},
)


@given(prompts, prompts)
def test_there_are_changes_exactly_where_the_ids_differ(first, second):
    assert bool(diff_prompts(first, second).changes) == (first.id != second.id)
    assert diff_prompts(first, first).changes == ()


def test_a_change_of_text_is_told_line_by_line_with_what_it_costs():
    edited = replace(FIRST, messages=(Message("system", "Be brief.\nCite each sentence.\n"), FIRST.messages[1]))
    diff = diff_prompts(FIRST, edited)
    assert diff.parts == ("messages",)
    assert diff.more_tokens == 3
    (change,) = diff.changes
    assert (change.path, change.lines[3:]) == ("messages.0.content", (" Be brief.", "-Cite.", "+Cite each sentence."))


def test_settings_are_told_one_by_one_from_what_to_what():
    edited = replace(FIRST, model="gpt-5-2025-08-07", parameters={"temperature": 0.5, "seed": None})
    found = {change.path: (change.before, change.after) for change in diff_prompts(FIRST, edited).changes}
    assert found == {
        "model": ("gpt-5-mini-2025-08-07", "gpt-5-2025-08-07"),
        "parameters.seed": (None, None),
        "parameters.temperature": (0, 0.5),
    }


def test_a_message_that_came_or_went_is_told_with_its_text():
    shorter = replace(FIRST, messages=FIRST.messages[1:])
    text = diff_prompts(shorter, FIRST).to_text()
    assert "+{{ question }}" in text
    assert "+Cite." in text
    assert 'messages.0.role: "user" -> "system"' in text
    assert "tokens: 0 -> 5 (+5;" in text


def test_the_same_prompt_is_told_in_a_sentence():
    assert diff_prompts(FIRST, FIRST).to_text().endswith("the same prompt")


def test_a_line_end_alone_is_told():
    longer = replace(FIRST, messages=(Message("system", "Be brief.\nCite.\n\n"), FIRST.messages[1]))
    trimmed = replace(FIRST, messages=(Message("system", "Be brief.\nCite."), FIRST.messages[1]))
    assert "messages.0.content" in diff_prompts(FIRST, longer).to_text()
    assert '"Be brief.\\nCite.\\n" -> "Be brief.\\nCite."' in diff_prompts(FIRST, trimmed).to_text()
