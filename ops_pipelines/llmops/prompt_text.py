"""A prompt as people write it: a YAML file, whose mistakes are found all at once, each with its line.

    description: ...            # optional, for people
    provider: openai
    model: gpt-5-mini-2025-08-07
    parameters: {temperature: 0}
    variables: {question: text, passages: list}
    messages:
      - role: system
        content: |
          ...
    response_schema: {...}      # optional, JSON Schema 2020-12

The file holds one version; its history is git's. Anchors, repeated keys and values that JSON has not are refused: what is
reviewed is what is asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.llmops.chat_model import Message
from ops_pipelines.llmops.prompt import ROLES, Prompt
from ops_pipelines.llmops.prompt_values import KINDS
from ops_pipelines.llmops.strict_yaml import YamlError, read_strictly
from ops_pipelines.llmops.template_language import RESERVED

MAX_FILE_CHARS = 1_000_000
REQUIRED = ("provider", "model", "variables", "messages")
KEYS = (*REQUIRED, "description", "parameters", "response_schema")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a prompt: which rule it breaks, in what way, and the line of the file (from 1)."""

    rule: str
    message: str
    line: int


@dataclass(frozen=True, slots=True)
class PromptText:
    """A file that was read: the prompt (None where it could not be), what is wrong with it, and where its parts stand.

    `lines` has the first line of each message's content (`messages.0`) and of each variable and part.
    """

    name: str
    text: str
    prompt: Prompt | None
    findings: tuple[Finding, ...]
    lines: Mapping[str, int] = field(default_factory=dict)
    description: str = ""


def read_prompt_text(name: str, text: str) -> PromptText:
    """A prompt with everything that is wrong with its YAML; never an error."""
    if len(text) > MAX_FILE_CHARS:
        return PromptText(name, text, None, (Finding("size", f"the file has {len(text):,} characters", 1),))
    try:
        content, lines = read_strictly(text)
    except YamlError as error:
        return PromptText(name, text, None, (Finding("yaml", error.wrong, error.line),))
    findings = tuple(sorted(_findings(content, lines), key=lambda finding: finding.line))
    try:
        prompt = None if findings else _prompt(name, content)
    except ConfigError as error:
        line = lines.get(str(error.facts.get("part")), 1)
        return PromptText(name, text, None, (Finding("value", error.wrong, line),))
    return PromptText(name, text, prompt, findings, lines, str(content.get("description", "")))


def _findings(content: Mapping[str, Any], lines: Mapping[str, int]) -> Iterator[Finding]:
    """What is wrong with the keys and the kinds of their values."""
    for key in content:
        if key not in KEYS:
            yield Finding("unknown key", f"unknown key {key!r}. {near_miss(str(key), KEYS)}", lines.get(str(key), 1))
    for key in REQUIRED:
        if key not in content:
            yield Finding("missing key", f"there is no `{key}`", 1)
    for key, (kind, words) in _KINDS_OF_KEYS.items():
        may_be_empty = key in ("variables", "parameters")
        if key in content and not (isinstance(content[key], kind) and (content[key] or may_be_empty)):
            yield Finding("wrong kind", f"`{key}` is {content[key]!r}, and has to be {words}", lines.get(key, 1))
    variables, messages = content.get("variables"), content.get("messages")
    yield from _findings_in_variables(variables if isinstance(variables, dict) else {}, lines)
    yield from _findings_in_messages(messages if isinstance(messages, list) else [], lines)


_KINDS_OF_KEYS: Mapping[str, tuple[type, str]] = {
    "provider": (str, "a text, in quotes where YAML reads something else"),
    "model": (str, "a text, in quotes where YAML reads something else"),
    "description": (str, "a text"),
    "variables": (dict, "a mapping of names to kinds; `{}` for none"),
    "parameters": (dict, "a mapping; `{}` for none"),
    "messages": (list, "a list of at least one message"),
    "response_schema": (dict, "a JSON Schema, or be left out"),
}


def _findings_in_variables(variables: Mapping[Any, Any], lines: Mapping[str, int]) -> Iterator[Finding]:
    for name, kind in variables.items():
        line = lines.get(f"variables.{name}", 1)
        if not _can_be_named(name):
            yield Finding("variable name", f"{name!r} cannot name a variable of a template", line)
        if kind not in KINDS:
            yield Finding("variable kind", f"{name!r} is of no kind {kind!r}. {near_miss(str(kind), KINDS)}", line)


def _can_be_named(name: Any) -> bool:
    """Whether a template can name a variable so: Jinja knows Python's keywords, and some words of its own."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        return False
    return not (iskeyword(name) or iskeyword(name.capitalize()) or name in ("loop", *RESERVED))


def _findings_in_messages(messages: list[Any], lines: Mapping[str, int]) -> Iterator[Finding]:
    for number, message in enumerate(messages):
        line = lines.get(f"messages.{number}", 1)
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            yield Finding("message", "a message has a `role` and a `content`, and nothing else", line)
        elif message["role"] not in ROLES:
            yield Finding("message", f"no role {message['role']!r}. {near_miss(str(message['role']), ROLES)}", line)
        elif not isinstance(message["content"], str) or not message["content"].strip():
            yield Finding(
                "message", "the content of a message is a text, in quotes where YAML reads something else", line
            )


def _prompt(name: str, content: Mapping[str, Any]) -> Prompt:
    return Prompt(
        name=name,
        messages=tuple(Message(message["role"], message["content"]) for message in content["messages"]),
        variables=content["variables"],
        provider=content["provider"],
        model=content["model"],
        parameters=content.get("parameters") or {},
        response_schema=content.get("response_schema"),
    )
