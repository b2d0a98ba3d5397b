"""A prompt: a template and everything else that decides what a model is asked, as one value with one identity.

Its id is the digest of its messages, variables, response schema, provider, model and parameters. Any edit of one of them
is another prompt; how the file is laid out, its comments and the order of its keys are not part of it. The name is not part
of it either: the same question under another name is the same question.

2026-11-26: a provider writes the fields of a structured answer in the order of the schema, so that `reasoning` before
`answer` is not the same as after it, while the order of keys must not count. A request therefore lists properties in the
order of `required`, which is a list and counts, and the others by name: equal ids ask the same to the last byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops import template
from ops_pipelines.llmops.chat_model import ChatRequest, Message
from ops_pipelines.llmops.prompt_values import check_values
from ops_pipelines.llmops.response_schema import in_order_of_required

ROLES = ("system", "user", "assistant")
PARTS = ("messages", "variables", "response_schema", "provider", "model", "parameters")
"""What a prompt's id is over."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked, with places for values. `messages` hold templates; `variables` name the kind of each value.

    Numbers that are equal are one number (0 and 0.0), as in JSON. Raises ConfigError for what has no canonical JSON.
    """

    name: str
    messages: tuple[Message, ...]
    variables: Mapping[str, str]
    provider: str
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    response_schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for part in ("variables", "parameters", "response_schema"):
            object.__setattr__(self, part, _canonical(getattr(self, part), part))

    @property
    def id(self) -> str:
        """The sha256 of everything that decides what is asked."""
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """All that the id is over, as plain JSON, read back by `from_json`."""
        messages = [{"role": message.role, "content": message.content} for message in self.messages]
        return {"messages": messages} | {part: getattr(self, part) for part in PARTS[1:]}

    @classmethod
    def from_json(cls, name: str, record: Mapping[str, Any]) -> "Prompt":
        """The prompt whose content `to_json` wrote, under a name."""
        messages = tuple(Message(message["role"], message["content"]) for message in record["messages"])
        return cls(name, messages, **{part: record[part] for part in PARTS[1:]})

    def render(self, values: Mapping[str, Any]) -> tuple[Message, ...]:
        """The messages with the values in their places, each exactly as it was given and never rendered itself.

        Raises RenderError for a value that is missing, not declared or of another kind, and TemplateError for a template
        that is refused.
        """
        check_values(self.name, self.variables, values)
        return tuple(Message(message.role, template.render(message.content, values)) for message in self.messages)

    def request(self, values: Mapping[str, Any]) -> ChatRequest:
        """What a provider is asked with these values; raises as `render` does."""
        schema = in_order_of_required(self.response_schema) if self.response_schema is not None else None
        return ChatRequest(self.model, self.render(values), self.parameters, schema)

    def fixed_text(self) -> str:
        """What the prompt may say whatever its values are, one message after the other."""
        return "\n".join(template.fixed_text(message.content) for message in self.messages)


def _canonical(value: Any, part: str) -> Any:
    """A value as the JSON that its digest is over: keys in order, equal numbers equal."""
    match value:
        case None | bool() | str() | int():
            return value
        case float() if isfinite(value):
            return int(value) if value.is_integer() else value
        case Mapping() if all(isinstance(key, str) for key in value):
            return {key: _canonical(value[key], part) for key in sorted(value)}
        case list() | tuple():
            return [_canonical(item, part) for item in value]
    raise ConfigError(
        f"{value!r} under `{part}` has no canonical JSON",
        expected="texts, finite numbers, booleans, nulls, and lists and mappings of them, with texts as keys",
        action="Write it as text, in quotes",
        part=part,
    )
