"""The reference system that answers, in a copy of the project that the demo may edit."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.clock import ProjectClock

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.answering import Answer
    from ops_pipelines.llmops.evals.result import EvalRun
    from ops_pipelines.testing.embedders import WordEmbedder
    from ops_pipelines.testing.provider import Provider

SYSTEM, CORPUS = "runbook_answers", "runbooks"
PARTS = ("prompt", "candidate", "evaluation", "comparison", "release")
COPIED = ("docs/runbooks", "evals", "pyproject.toml", "requirements.lock")
_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Made:
    """What some assets came to: whether their gates opened, and what each check that did not pass said."""

    good: bool
    said: Mapping[str, str]

    def __str__(self) -> str:
        if self.good:
            return "passed"
        said = "; ".join(self.said.values()) or "it failed"
        return f"refused: {said[:_SHOWN]}{'...' if len(said) > _SHOWN else ''}"


@dataclass(frozen=True, slots=True)
class Desk:
    """The copied project, with the platform of the home, and what its YAML declares of the prompt."""

    folder: Path
    platform: "Platform"
    declared: Mapping[str, Any]

    def made(self, *parts: str, embedder: str | None = None, most_tokens: int = 500, **changed: Any) -> Made:
        """Some assets materialized by Dagster, `snapshot` that of the corpus, with settings that are changed."""
        import dagster as dg

        wanted = [f"{CORPUS if part == 'snapshot' else SYSTEM}/{part}" for part in parts]
        result = dg.materialize(
            [*self._corpus(embedder), *self._prompt(most_tokens, changed)],
            resources={"platform": self.platform},
            selection=wanted,
            instance=dg.DagsterInstance.get(),
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}
            },  # what failed is told in its row
            raise_on_error=False,
        )
        checks = result.get_asset_check_evaluations()
        return Made(result.success, {one.check_name: one.description or "" for one in checks if not one.passed})

    def ask(self, question: str, release: str | None = None) -> "Answer":
        """The answer of what is live, or of the release that begins so, through the door of applications."""
        import asyncio

        from ops_pipelines.apps.client import AnswerDoor

        return asyncio.run(AnswerDoor(self.platform).answer(SYSTEM, question, tenant="demo", release=release))

    def live(self) -> str:
        """The digest of what is live; empty where nothing is."""
        from ops_pipelines.core.pointer import PRODUCTION

        return self.platform.live(PRODUCTION, SYSTEM) or ""

    def scores(self) -> str:
        """The means of the last evaluation, in words."""
        made = self.platform.lake.latest(f"{SYSTEM}/evaluation")
        means = made.facts.get("scores", {}) if made else {}
        told = ", ".join(
            f"{name} {means[name]:.2f}" for name in ("says", "refusal", "never", "groundedness") if means.get(name)
        )
        return f"{len(self._golden())} cases, {told or 'not scored'}"

    def asked_golden(self, release: str, *, again: bool = False) -> "EvalRun":
        """The golden set asked of a release, `again` anew whatever was answered before."""
        from ops_pipelines.adapters.answerers import recipe_of
        from ops_pipelines.components.answers_asking import evaluate_recipe
        from ops_pipelines.components.answers_candidate import golden_of
        from ops_pipelines.components.answers_settings import Answers
        from ops_pipelines.core.release import find_release
        from ops_pipelines.llmops.evals.cache import AskAnew

        settings = Answers.resolve_from_dict(self.declared["answers"])
        cases = golden_of(SYSTEM, settings, self.platform).cases
        recipe = recipe_of(self.platform, find_release(self.platform.releases, SYSTEM, release))
        cache = AskAnew() if again else self.platform.evals
        return evaluate_recipe(settings, self.platform, SYSTEM, recipe, cases, cache=cache)

    def delete(self, document: str) -> None:
        """A document is deleted, and its questions are to be refused from now on."""
        (self.folder / document).unlink()
        kept = [_without(case, document) for case in self._golden()]
        self._golden_file.write_text("".join(f"{json.dumps(case)}\n" for case in kept))

    def asking(self, provider: "Provider", model: str) -> AbstractContextManager[None]:
        """The environment in which the offline reader's place is taken by a provider."""
        return _provider(OPENAI_BASE_URL=provider.base_url, OPENAI_MODEL=model)

    @contextmanager
    def days(self) -> Iterator[Callable[[], None]]:
        """A function that moves the demo's clock to the next day; the clock is put back at the end."""
        clock = ProjectClock(self.platform.project.home)
        replayed, at = clock.is_replayed(), clock.as_of()
        try:
            yield lambda: clock.set(clock.as_of() + timedelta(days=1))
        finally:
            clock.set(at) if replayed else clock.follow_the_wall()

    @property
    def _golden_file(self) -> Path:
        return self.folder / "evals" / "golden" / SYSTEM / "cases.jsonl"

    def _golden(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._golden_file.read_text().splitlines() if line.strip()]

    def _corpus(self, embedder: str | None) -> list[Any]:
        from ops_pipelines.components.corpus import Corpus

        own = {"name": CORPUS, "sources": [{"folder": "docs/runbooks"}]}
        return _assets(Corpus, {**own, "embedder": embedder} if embedder else own)

    def _prompt(self, most_tokens: int, changed: Mapping[str, Any]) -> list[Any]:
        from ops_pipelines.components.prompt import Prompt

        answers = {**self.declared["answers"], **changed}
        return _assets(Prompt, {**self.declared, "max_tokens": most_tokens, "answers": answers})


def upgraded_embedder() -> "WordEmbedder":
    """Another embedder with as many dimensions as the default one, which calls itself by its name."""
    from ops_pipelines.adapters.embedders import HashingEmbedder
    from ops_pipelines.testing.embedders import WordEmbedder

    pin = HashingEmbedder().pin()
    return WordEmbedder(dims=pin.dims, claims=pin.name)


@contextmanager
def desk_in(home: Path) -> Iterator[Desk]:
    """The desk under a demo's home. While it is used, its folder is the working directory, and no provider is configured.

    A key that lies in the environment is not asked to pay for a demo.
    """
    from ops_pipelines.adapters.declared import declared_in
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.project import find_project
    from ops_pipelines.cli.dg_project import read_dg_project

    project, here = find_project(), Path.cwd()
    declared = declared_in(read_dg_project(project.root).defs_folder).named("Prompt", SYSTEM)
    folder = home / "desk"
    _copy(project.root, folder)
    os.chdir(folder)
    find_project.cache_clear()
    try:
        with _provider():
            yield Desk(folder, Platform.embedded(find_project()), declared)
    finally:
        os.chdir(here)
        find_project.cache_clear()


@contextmanager
def _provider(**configured: str) -> Iterator[None]:
    """The environment with this provider and no other."""
    names = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(configured)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


def _copy(root: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for part in COPIED:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part)
        else:
            shutil.copy(root / part, folder / part)


def _assets(component: Any, attributes: Mapping[str, Any]) -> list[Any]:
    import warnings

    import dagster as dg
    import yaml

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # as `load_tree` does
        return list(component.resolve_from_yaml(yaml.safe_dump(dict(attributes))).build_defs(None).assets)


def _without(case: dict[str, Any], document: str) -> dict[str, Any]:
    """A case as it is once a document is gone: refused, where the document alone held its answer."""
    if case.get("cites") != [document]:
        return {**case, "cites": [one for one in case.get("cites", []) if one != document]} if "cites" in case else case
    kept = {name: value for name, value in case.items() if name in ("id", "question", "also", "never", "cluster")}
    return {**kept, "kind": "unanswerable", "refuses": True}
