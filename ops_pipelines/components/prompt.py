"""The Prompt component: a prompt's file becomes an asset whose data version is the prompt's id.

One asset for a prompt and none for each of its versions: the versions are its materializations, in the lake's history by
id, and in MLflow's prompt registry for people.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.mlflow_prompts import MLflowPrompts, PromptRecord
from ops_pipelines.adapters.mlflow_registry import RegistryError
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.adapters.prompt_files import prompt_path, read_prompt_file
from ops_pipelines.adapters.secret_scan import find_secrets
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.answers import answers_defs
from ops_pipelines.components.answers_settings import Answers
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import first_or_changed
from ops_pipelines.components.publishing import Product, gate_spec, publish, shown_table, table_of
from ops_pipelines.components.scaffolding import PromptScaffolder
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json, digest_json
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import Passed
from ops_pipelines.llmops.prompt import Prompt as Content
from ops_pipelines.llmops.prompt_diff import ESTIMATE, diff_prompts
from ops_pipelines.llmops.prompt_lint import judge_prompt, lint_prompt
from ops_pipelines.llmops.prompt_text import PromptText
from ops_pipelines.llmops.tokens import estimate_tokens

CHECK = "is_sound"


@dg.scaffold_with(PromptScaffolder)
class Prompt(OpsComponent):
    """A prompt in evals/prompts/<name>/prompt.yaml, or in the file that `path` names from the project's root.

    `max_tokens` bounds its text without values, by an estimate. What is not sound is refused and reaches nobody. With
    `answers` it is a system: released with all that it answers by, gated on its golden set, and asked by its name.
    """

    name: str
    path: str | None = None
    max_tokens: int | None = Field(default=None, gt=0)
    answers: Answers | None = None
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """The prompt, with the check that it is sound."""
        key = dg.AssetKey([self.name, "prompt"])

        @dg.asset(
            key=key,
            check_specs=[gate_spec(CHECK, key, None)],
            code_version=_version(self, find_project()),
            automation_condition=first_or_changed(),
            description=self.description or f"What {self.name} asks a model.",
            owners=self.owners,
            group_name=self.name,
            kinds={"yaml"},
        )
        def prompt(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            return publish(context, platform, make_prompt(self, platform), check=CHECK)

        written = dg.Definitions(assets=[prompt])
        return dg.Definitions.merge(written, answers_defs(self, self.answers)) if self.answers else written

    def file(self, project: Project) -> Path:
        """Where the prompt is written."""
        return project.root / self.path if self.path else prompt_path(project, self.name)


def make_prompt(prompt: Prompt, platform: Platform) -> Product:
    """The prompt of the file, judged, kept by its id and mirrored; of a refused one its findings alone, and no text of it.

    A file that holds no prompt is refused, too; ConfigError where there is no file.
    """
    read = read_prompt_file(prompt.file(platform.project), prompt.name)
    findings = lint_prompt(read, find_secrets, max_tokens=prompt.max_tokens)
    verdict = judge_prompt(read, findings)
    if read.prompt is None or not isinstance(verdict, Passed):
        rows = [{"line": found.line, "rule": found.rule, "message": found.message} for found in findings]
        return Product(table_of(rows), _digest(read), verdict, {}, shown={"findings": shown_table(rows)})
    content, before = read.prompt, platform.lake.good(f"{prompt.name}/prompt")
    platform.objects.put(canonical_json(content.to_json()))
    facts = {"prompt": content.to_json(), **_tokens(content), **_change(content, before)}
    return Product(
        table_of([{"role": message.role, "content": message.content} for message in content.messages]),
        digest=content.id,
        verdict=verdict,
        inputs={},
        facts=facts | _mirrored(content, platform, str(facts["change"])),
        shown=_shown(content, facts),
    )


def _version(prompt: Prompt, project: Project) -> str:
    """Our code and the prompt's id, so that an edit shows as a change; a file that is missing stops no location."""
    try:
        written = _digest(read_prompt_file(prompt.file(project), prompt.name))
    except ConfigError:
        written = "missing"
    return digest_json([code_version("ops_pipelines.llmops.prompt"), prompt.max_tokens, written])


def _digest(read: PromptText) -> str:
    """The id of a file's prompt, or the digest of its text where it holds none."""
    return read.prompt.id if read.prompt else digest_json(read.text)


def _tokens(content: Content) -> dict[str, Any]:
    return {"tokens": estimate_tokens(content.fixed_text()), "estimate": ESTIMATE}


def _change(content: Content, before: Artefact | None) -> dict[str, Any]:
    """What is new since the last accepted prompt, as words; what was new then, where it is that prompt again."""
    if before is None:
        return {"before": None, "change": "the first version"}
    if before.digest == content.id:
        return {"before": before.facts["before"], "change": before.facts["change"]}
    diff = diff_prompts(Content.from_json(content.name, before.facts["prompt"]), content)
    return {"before": before.digest, "change": diff.to_text()}


def _mirrored(content: Content, platform: Platform, change: str) -> dict[str, str]:
    """The version in MLflow as a fact; what went wrong there where it could not be recorded: it is only a mirror."""
    record = PromptRecord(content, change, tags={"commit": platform.project.commit()})
    try:
        return {"mlflow_version": MLflowPrompts(platform.registry).record(record)}
    except RegistryError as error:
        return {"mlflow_problem": str(error)}


def _shown(content: Content, facts: Mapping[str, Any]) -> dict[str, Any]:
    change = f"```diff\n{facts['change']}\n```"
    return {
        "asked of": f"{content.provider} / {content.model}",
        "tokens": f"{facts['tokens']} ({ESTIMATE})",
        "change": dg.MetadataValue.md(change if len(change) < 1000 else change[:950] + "\n```"),
    }
