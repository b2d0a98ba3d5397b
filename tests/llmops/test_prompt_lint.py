import pytest

from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.prompt_lint import judge_growth, judge_prompt, lint_prompt
from ops_pipelines.llmops.prompt_text import read_prompt_text

GOOD = """\
provider: openai
model: gpt-5-mini-2025-08-07
variables: {question: text}
messages:
  - role: system
    content: |
      Be brief.
      Be kind.
  - role: user
    content: "{{ question }}"
response_schema: {type: object}
"""


def no_secrets(text):
    return []


def lint(text, find_secrets=no_secrets, **limits):
    read = read_prompt_text("answers", text)
    return [(found.line, found.rule, found.message) for found in lint_prompt(read, find_secrets, **limits)]


def test_a_sound_prompt_has_no_finding_and_passes_with_its_tokens():
    read = read_prompt_text("answers", GOOD)
    assert lint_prompt(read, no_secrets) == ()
    verdict = judge_prompt(read, ())
    assert isinstance(verdict, Passed)
    assert verdict.evidence["tokens"] == 5


@pytest.mark.parametrize(
    ("edit", "line", "rule", "why"),
    [
        (("Be kind.", "Be {{ qestion }}."), 8, "undeclared variable", "Did you mean 'question'?"),
        (("{question: text}", "{question: text, tone: text}"), 3, "unused variable", "'tone' is never used"),
        (("Be kind.", "Be {question}."), 8, "single braces", "write {{ question }}"),
        (("Be kind.", "{{ question.__class__ }}"), 8, "unsafe template", "underscore"),
        (("Be kind.", "Be\u200b kind."), 8, "hidden character", "U+200B"),
        (("Be kind.", "\U000e0041"), 8, "hidden character", "U+E0041"),
        (("{type: object}", "{type: objct}"), 11, "response schema", "objct"),
        (("{type: object}", "{$ref: 'https://example.org/s'}"), 11, "response schema", "outside itself"),
    ],
)
def test_a_mistake_is_found_on_its_line_by_its_rule(edit, line, rule, why):
    found = lint(GOOD.replace(*edit))
    assert [(at, by) for at, by, message in found if why in message] == [(line, rule)]


def test_a_secret_is_told_by_its_line_and_kind_even_in_a_file_that_cannot_be_read():
    found = lint("provider: [\n", lambda text: [(1, "AWS Access Key")])
    assert (1, "secret", "it looks like a secret: AWS Access Key") in found


def test_more_tokens_than_allowed_are_a_finding():
    assert lint(GOOD, max_tokens=5) == []
    assert [(line, rule) for line, rule, _ in lint(GOOD, max_tokens=4)] == [(4, "tokens")]


@pytest.mark.parametrize(("most", "findings"), [(None, 0), (100, 0), (10, 1)])
def test_growth_beyond_what_is_allowed_is_a_finding(most, findings):
    before, after = (read_prompt_text("answers", text) for text in (GOOD, GOOD.replace("kind.", "kind." * 20)))
    assert len(judge_growth(before.prompt, after, most)) == findings
    assert judge_growth(None, after, most) == ()


def test_every_finding_is_a_reason_with_its_line():
    read = read_prompt_text("answers", GOOD.replace("Be kind.", "Be {{ qestion }}."))
    verdict = judge_prompt(read, lint_prompt(read, no_secrets))
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("line 8: 'qestion' is not declared. Did you mean 'question'?",)


def test_a_file_that_holds_no_prompt_is_never_sound():
    assert isinstance(judge_prompt(read_prompt_text("answers", ""), ()), Blocked)
