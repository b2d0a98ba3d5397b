"""A small project with a corpus of four texts and a prompt that answers from it, as tests of answers need it."""

import json
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import yaml

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.corpus import Corpus
from ops_pipelines.components.prompt import Prompt
from ops_pipelines.core.pointer import PRODUCTION

TEXTS = {
    "rollback": "To roll a release back, run `ops rollback SYSTEM`. No training is needed.",
    "drift": "When the drift alarm fires, look at the columns that moved first.",
    "keys": "The key of the archive is kept by the desk on the second floor.",
    "weather": "Snow delays flights at all three airports in January.",
}
CASES = (
    *(
        {"id": name, "kind": "answerable", "question": question, "says": [fact], "cites": [f"notes/{name}.md"]}
        for name, question, fact in (
            ("rollback", "How is a release rolled back?", "ops rollback"),
            ("drift", "What is looked at when the drift alarm fires?", "columns"),
            ("keys", "Who keeps the key of the archive?", "desk"),
            ("weather", "What delays flights in January?", "Snow"),
        )
    ),
    {"id": "lunch", "kind": "unanswerable", "question": "Which dish does the canteen serve?", "refuses": True},
)
PROMPT = """\
provider: extractive
model: extractive-1
parameters: {max_tokens: 100}
variables: {passages: text, question: text}
messages:
  - role: system
    content: |
      Answer in one sentence from the passages alone, and cite it.
      If they do not answer the question, say "I cannot tell."
  - role: user
    content: |
      Passages:
      {{ passages }}

      Question: {{ question }}
"""
ANSWERS = {"corpus": "notes", "k": 3, "gate": {"least": {"refusal": 0.5}, "margin": 0.3}, "probe": {"cases": 5}}


@dataclass(frozen=True, slots=True)
class Desk:
    """The project with its platform; the system is called `desk`."""

    root: Path
    platform: Platform

    @classmethod
    def at(cls, root: Path) -> "Desk":
        """The project, written into a folder that is the working directory."""
        (root / "pyproject.toml").write_text("[tool.ops]\n")
        (root / "requirements.lock").write_text("nothing==1\n")
        for part in ("notes", "evals/prompts/desk", "evals/golden/desk"):
            (root / part).mkdir(parents=True)
        find_project.cache_clear()
        desk = cls(root, Platform.embedded(find_project(root)))
        for name, text in TEXTS.items():
            desk.write(name, text)
        desk.prompt(PROMPT)
        desk.golden(*CASES)
        return desk

    def write(self, name: str, text: str) -> None:
        (self.root / "notes" / f"{name}.md").write_text(text)

    def prompt(self, text: str) -> None:
        (self.root / "evals" / "prompts" / "desk" / "prompt.yaml").write_text(text)

    def golden(self, *cases: dict) -> None:
        lines = "".join(f"{json.dumps(case)}\n" for case in cases)
        (self.root / "evals" / "golden" / "desk" / "cases.jsonl").write_text(lines)

    def made(self, *parts: str, **answers) -> dg.ExecuteInProcessResult:
        """Some of the system's assets materialized, in their order: all up to the release where none is named."""
        corpus = Corpus.resolve_from_yaml(yaml.safe_dump({"name": "notes", "sources": [{"folder": "notes"}]}))
        prompt = Prompt.resolve_from_yaml(yaml.safe_dump({"name": "desk", "answers": {**ANSWERS, **answers}}))
        assets = [*corpus.build_defs(None).assets, *prompt.build_defs(None).assets]
        wanted = parts or ("notes/snapshot", *(f"desk/{part}" for part in ALL))
        return dg.materialize(
            assets, resources={"platform": self.platform}, selection=list(wanted), raise_on_error=False
        )

    def live(self) -> str | None:
        return self.platform.live(PRODUCTION, "desk")


ALL = ("prompt", "candidate", "evaluation", "comparison", "release")


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, str | None]:
    """What each blocking check that failed said."""
    return {found.check_name: found.description for found in result.get_asset_check_evaluations() if not found.passed}
