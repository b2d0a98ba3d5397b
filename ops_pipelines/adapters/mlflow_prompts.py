"""MLflow's prompt registry as a mirror for people: a version for each id of a prompt, and never a second one for the same.

MLflow would make a new version of an equal template, and can rewrite the settings of an old one in place: identity is the
tag `ops_prompt_id` here, and nothing is read back from it. One name is a prompt or a model there, and not both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
from ops_pipelines.llmops.prompt import Prompt

if TYPE_CHECKING:
    from mlflow import MlflowClient

ID = "ops_prompt_id"
_KNOWN_SETTINGS = ("temperature", "max_tokens", "top_p", "top_k", "frequency_penalty", "presence_penalty")
_MOST_TAG_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """A prompt as people see it in MLflow: `change` says in words what is new in it, and `tags` where it came from."""

    prompt: Prompt
    change: str
    tags: Mapping[str, str] = field(default_factory=dict)


class MLflowPrompts:
    """The prompt registry of one home's MLflow."""

    def __init__(self, registry: MLflowRegistry) -> None:
        self.registry = registry

    def record(self, record: PromptRecord) -> str:
        """The version that has the prompt's id, made where there is none; RegistryError where MLflow fails."""
        prompt = record.prompt
        with self.registry.client(f"record the prompt {prompt.name!r}") as client:
            return _versions(client, prompt.name).get(prompt.id) or _create(client, record)

    def versions(self, name: str) -> dict[str, str]:
        """The version of each id of a prompt; empty for one that was never recorded."""
        with self.registry.client(f"read the versions of the prompt {name!r}") as client:
            return _versions(client, name)


def _versions(client: "MlflowClient", name: str) -> dict[str, str]:
    if client.get_prompt(name) is None:
        return {}
    found: dict[str, str] = {}
    token = None
    while True:
        page = client.search_prompt_versions(name, page_token=token)
        for version in page:
            found.setdefault(version.tags.get(ID, ""), str(version.version))
        token = page.token
        if not token:
            return found


def _create(client: "MlflowClient", record: PromptRecord) -> str:
    prompt = record.prompt
    if client.get_prompt(prompt.name) is None:
        client.create_prompt(prompt.name)
    made = client.create_prompt_version(
        prompt.name,
        [{"role": message.role, "content": message.content} for message in prompt.messages],
        description=record.change[:_MOST_TAG_CHARS],
        tags={**{name: tag[:_MOST_TAG_CHARS] for name, tag in record.tags.items()}, ID: prompt.id},
        response_format=dict(prompt.response_schema) if prompt.response_schema else None,
        model_config=_settings(prompt),
    )
    return str(made.version)


def _settings(prompt: Prompt) -> dict[str, Any]:
    """Provider, model and parameters as MLflow shows them: those that it has no field for together in one."""
    known = {name: value for name, value in prompt.parameters.items() if name in _KNOWN_SETTINGS}
    others = {name: value for name, value in prompt.parameters.items() if name not in _KNOWN_SETTINGS}
    return {
        "provider": prompt.provider,
        "model_name": prompt.model,
        **known,
        **({"extra_params": others} if others else {}),
    }
