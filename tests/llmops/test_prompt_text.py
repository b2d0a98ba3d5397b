import pytest

from ops_pipelines.core.fingerprint import short
from ops_pipelines.llmops.prompt_text import read_prompt_text

GOOD = """\
# who is asked what
description: Answers.
provider: openai
model: "4.1"
parameters: {temperature: 0}
variables:
  question: text
messages:
  - role: system
    content: |
      Be brief.
  - role: user
    content: "{{ question }}"
"""


def findings(text):
    return [(found.line, found.message) for found in read_prompt_text("answers", text).findings]


def test_a_good_file_is_a_prompt_with_the_lines_of_its_parts():
    read = read_prompt_text("answers", GOOD)
    assert (read.findings, read.description, read.prompt.model) == ((), "Answers.", "4.1")
    assert [read.lines[path] for path in ("messages.0.content", "messages.1.content", "variables.question")] == [
        11,
        13,
        7,
    ]


def test_comments_order_and_layout_are_not_part_of_the_id_and_the_description_is_not_either():
    top, messages = GOOD.split("messages:")
    other = (
        f"messages:{messages}# said last\n"
        + "\n".join(reversed(top.splitlines()[2:5]))
        + "\nvariables: {question: text}\n"
    )
    assert read_prompt_text("a", other).prompt.id == read_prompt_text("b", GOOD).prompt.id


def test_the_id_of_a_known_file_is_known():
    assert short(read_prompt_text("answers", GOOD).prompt.id) == "f470757fef41"


@pytest.mark.parametrize(
    ("edit", "line", "why"),
    [
        (("model:", "modle:"), 4, "unknown key 'modle'. Did you mean 'model'?"),
        (("model:", "modle:"), 1, "there is no `model`"),
        (('"4.1"', "4.1"), 4, "`model` is 4.1, and has to be a text, in quotes"),
        (("role: user", "role: usr"), 12, "no role 'usr'. Did you mean 'user'?"),
        (("question: text", "question: txt"), 7, "'question' is of no kind 'txt'. Did you mean 'text'?"),
        (("  question: text", "  _question: text"), 7, "'_question' cannot name a variable"),
        (("  question: text", "  loop: text"), 7, "'loop' cannot name a variable"),
        (("  question: text", "  none: text"), 7, "'none' cannot name a variable"),
        (("    content: |", "    name: ann\n    content: |"), 9, "a message has a `role` and a `content`"),
        (('"{{ question }}"', "{{ question }}"), 13, "braces outside quotes"),
        (("provider: openai", "provider: openai\nprovider: azure"), 4, "the key 'provider' occurs twice"),
        (("provider: openai", "provider: &who openai"), 3, "an anchor or an alias"),
        (("{temperature: 0}", "[1]"), 5, "`parameters` is [1], and has to be a mapping"),
        (("{temperature: 0}", "{at: 2026-01-01}"), 5, "has no canonical JSON"),
        (("{temperature: 0}", "{temperature: .nan}"), 5, "has no canonical JSON"),
        (('"4.1"', '"4.1'), 13, "expected <block end>"),
    ],
)
def test_a_mistake_is_told_with_its_line(edit, line, why):
    found = findings(GOOD.replace(*edit))
    assert any(why in message for _, message in found), found
    assert any(at == line and why in message for at, message in found), found


@pytest.mark.parametrize(
    "text", ["", "- a list", "just text", "{" * 1000, "a: !!python/object:os.system x", "x" * 1_000_001]
)
def test_what_is_no_prompt_at_all_is_a_finding_and_never_an_error(text):
    read = read_prompt_text("answers", text)
    assert read.prompt is None
    assert len(read.findings) == 1


def test_every_mistake_is_told_at_once():
    assert len(findings(GOOD.replace("provider:", "provder:").replace("role: user", "role: usr"))) == 3
