"""What is wrong with a prompt before anybody is asked it, each finding with its line.

The file's own mistakes come first (`prompt_text`); a prompt that could be read is then looked through for variables that are
not declared or not used, constructs that templates may not have, braces that would stand there as they are, characters that
nobody sees, secrets, a response schema that cannot judge, and more tokens than it may have.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ops_pipelines.core.errors import near_miss
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.prompt_diff import ESTIMATE
from ops_pipelines.llmops.prompt_text import Finding, PromptText
from ops_pipelines.llmops.response_schema import problems_of_schema
from ops_pipelines.llmops.template import names_in, problems_of
from ops_pipelines.llmops.tokens import estimate_tokens

FindSecrets: TypeAlias = Callable[[str], Iterable[tuple[int, str]]]
"""Finds secrets in a text: the line of each (from 1) and what kind it is, never the secret itself."""
_SEEN = "\n\t"
_HIDDEN = ("Cf", "Cc", "Co", "Cs")


def lint_prompt(read: PromptText, find_secrets: FindSecrets, *, max_tokens: int | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong with a prompt's file, in the order of its lines; empty for a sound one.

    `max_tokens` bounds the estimated tokens of its fixed text. A file that cannot be read is still searched for secrets.
    """
    found = [*read.findings, *_hidden(read.text)]
    found += [Finding("secret", f"it looks like a secret: {kind}", line) for line, kind in find_secrets(read.text)]
    if read.prompt:
        found += [*_templates(read, read.prompt), *_variables(read, read.prompt), *_schema(read, read.prompt)]
        found += _tokens(read, read.prompt, max_tokens)
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: finding.line))


def judge_prompt(read: PromptText, findings: Sequence[Finding]) -> Verdict:
    """Passed for a prompt without findings; Blocked with each of them otherwise."""
    if read.prompt and not findings:
        return Passed({"tokens": estimate_tokens(read.prompt.fixed_text()), "estimate": ESTIMATE})
    reasons = tuple(f"line {finding.line}: {finding.message}" for finding in findings)
    return Blocked(reasons or ("the file holds no prompt",))


def judge_growth(before: Prompt | None, read: PromptText, most: int | None) -> tuple[Finding, ...]:
    """A finding where a prompt has more than `most` estimated tokens more than before; none for a new prompt."""
    if most is None or before is None or read.prompt is None:
        return ()
    more = estimate_tokens(read.prompt.fixed_text()) - estimate_tokens(before.fixed_text())
    if more <= most:
        return ()
    message = f"about {more:,} tokens more than before, and it may grow by {most:,} ({ESTIMATE})"
    return (Finding("growth", message, read.lines.get("messages", 1)),)


def _templates(read: PromptText, prompt: Prompt) -> Iterator[Finding]:
    """Constructs that templates may not have, and single braces around the name of a variable."""
    for number, message in enumerate(prompt.messages):
        first = _first_line(read, number)
        for problem in problems_of(message.content):
            yield Finding("unsafe template", problem.message, first + problem.line - 1)
        for name in prompt.variables:
            for braces in re.finditer(rf"(?<!\{{)\{{ *{re.escape(name)} *\}}(?!\}})", message.content):
                line = first + message.content.count("\n", 0, braces.start())
                yield Finding("single braces", f"{braces.group()} stays as it is: write {{{{ {name} }}}}", line)


def _variables(read: PromptText, prompt: Prompt) -> Iterator[Finding]:
    if any(problems_of(message.content) for message in prompt.messages):
        return  # which variables a template takes is not known while it cannot be read
    used: set[str] = set()
    for number, message in enumerate(prompt.messages):
        for name, line in names_in(message.content).items():
            used.add(name)
            if name not in prompt.variables:
                near = near_miss(name, prompt.variables)
                yield Finding(
                    "undeclared variable", f"{name!r} is not declared. {near}", _first_line(read, number) + line - 1
                )
    for name in prompt.variables:
        if name not in used:
            yield Finding("unused variable", f"{name!r} is never used", read.lines.get(f"variables.{name}", 1))


def _schema(read: PromptText, prompt: Prompt) -> Iterator[Finding]:
    for problem in problems_of_schema(prompt.response_schema or {}):
        yield Finding(
            "response schema", f"the response schema cannot judge: {problem}", read.lines.get("response_schema", 1)
        )


def _tokens(read: PromptText, prompt: Prompt, most: int | None) -> Iterator[Finding]:
    tokens = estimate_tokens(prompt.fixed_text())
    if most is not None and tokens > most:
        message = f"about {tokens:,} tokens, and it may have {most:,} ({ESTIMATE})"
        yield Finding("tokens", message, read.lines.get("messages", 1))


def _hidden(text: str) -> Iterator[Finding]:
    """Characters that a reviewer does not see and a model reads."""
    for number, line in enumerate(text.split("\n"), start=1):
        for character in dict.fromkeys(line):
            if unicodedata.category(character) in _HIDDEN and character not in _SEEN:
                yield Finding("hidden character", f"U+{ord(character):04X} cannot be seen", number)


def _first_line(read: PromptText, number: int) -> int:
    return read.lines.get(f"messages.{number}.content", 1)
