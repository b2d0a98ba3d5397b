"""Who is asked in an evaluation, by whom its answers are scored, and who pays for both."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ops_pipelines.adapters.answerers import ledger_of, open_recipe, recipe_of
from ops_pipelines.adapters.chat_models import chat_model_of
from ops_pipelines.adapters.golden_runs import Pace, Subject, run_golden
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.scorer_code import versioned_by_code
from ops_pipelines.core.release import Release
from ops_pipelines.llmops.answering import Answering
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.evals.cache import EvalCache
from ops_pipelines.llmops.evals.case import Case
from ops_pipelines.llmops.evals.golden_set import GoldenSet
from ops_pipelines.llmops.evals.judge import LLMJudge
from ops_pipelines.llmops.evals.log import Evaluation
from ops_pipelines.llmops.evals.run import EvalRun, run_evaluation
from ops_pipelines.llmops.evals.scorer import Scorer
from ops_pipelines.llmops.evals.scorers import STANDARD
from ops_pipelines.llmops.metered_chat import MeteredChat
from ops_pipelines.llmops.recipe import Recipe

if TYPE_CHECKING:
    from ops_pipelines.components.answers_settings import Answers

Progress: TypeAlias = Callable[[int, int], None]
EVALUATION = "evaluation"
"""The feature under which the ledger counts what evaluations ask."""


def evaluate_golden(
    settings: "Answers",
    platform: Platform,
    release: Release,
    golden: GoldenSet,
    progress: Progress = lambda _done, _total: None,
    *,
    again: bool = False,
) -> Evaluation:
    """The golden set asked of a release, kept and mirrored; `again` asks everything anew, and what is kept says so."""
    recipe, system = recipe_of(platform, release), release.manifest.system
    first = recipe.providers[0]
    facts = {
        "release": release.digest,
        "prompt": recipe.prompt.id,
        "corpus": recipe.found.snapshot if recipe.found else None,
        "model": f"{first.provider}/{first.model}",
        "again": again,
    }
    going = run_golden(
        answerer_of(platform, system, recipe),
        golden,
        scorers_of(settings, platform, system, recipe),
        platform=platform,
        subject=Subject(system, facts),
        pace=Pace(settings.concurrency, settings.gate.repeats, again),
        progress=progress,
    )
    return asyncio.run(going)


def evaluate(settings: "Answers", platform: Platform, release: Release, cases: Sequence[Case]) -> EvalRun:
    """The run of a release over some cases, not kept as an evaluation; see `evaluate_recipe`."""
    recipe, system = recipe_of(platform, release), release.manifest.system
    return evaluate_recipe(settings, platform, system, recipe, cases, cache=platform.evals)


def evaluate_recipe(
    settings: "Answers",
    platform: Platform,
    system: str,
    recipe: Recipe,
    cases: Sequence[Case],
    *,
    cache: EvalCache,
    release: str | None = None,
    progress: Progress = lambda _done, _total: None,
) -> EvalRun:
    """The run of a recipe over some cases, the answers and scores of which are looked up and kept in `cache`."""
    run = run_evaluation(
        answerer_of(platform, system, recipe, release),
        cases,
        versioned_by_code(scorers_of(settings, platform, system, recipe)),
        cache=cache,
        concurrency=settings.concurrency,
        repeats=settings.gate.repeats,
        progress=progress,
    )
    return asyncio.run(run)


def answerer_of(platform: Platform, system: str, recipe: Recipe, named: str | None = None) -> Answering:
    """Who answers evaluations by a recipe: paid for as the feature `evaluation`, and within no budget of its callers.

    Its calls are written down under the recipe's own release, or under the one that is `named`.
    """
    release = named or recipe.manifest(system).digest
    caller = Caller(system, release, EVALUATION)
    return open_recipe(recipe, release, platform.corpora).answerer(system, ledger_of(platform, recipe), caller)


def scorers_of(settings: "Answers", platform: Platform, system: str, recipe: Recipe) -> tuple[Scorer, ...]:
    """What scores an evaluation: the rules, and the judge where one is declared, paid for as the feature `judge`."""
    if settings.judge is None:
        return STANDARD
    pin, caller = settings.judge.pin(), Caller(system, recipe.manifest(system).digest, "judge")
    ledger = ledger_of(platform, recipe)
    chat = chat_model_of(pin, paid=lambda one: MeteredChat(one, ledger, caller))
    return (*STANDARD, LLMJudge(chat, pin, rubric=settings.judge.rubric))
