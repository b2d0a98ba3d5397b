"""A candidate: all that decides how a prompt answers now, put together, and judged before anything is asked."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.answerers import open_recipe, recipe_of
from ops_pipelines.adapters.chat_models import default_pin
from ops_pipelines.adapters.genai_prices import GenAIPrices
from ops_pipelines.adapters.golden_files import golden_set, read_golden_file
from ops_pipelines.adapters.guard_checks import read_policy
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.publishing import Product, table_of, unmade, why_command
from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.fingerprint import canonical_json, short
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Evidence, Manifest, Release
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict
from ops_pipelines.llmops import extractive
from ops_pipelines.llmops.evals.case import Case
from ops_pipelines.llmops.evals.golden_set import GoldenSet
from ops_pipelines.llmops.passages import Passage, render_passages
from ops_pipelines.llmops.projected_cost import AskedCase, judge_projected_cost
from ops_pipelines.llmops.prompt import Prompt as Content
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.llmops.recipe import Found, Recipe, Retrieval
from ops_pipelines.llmops.retrieval import Fusion

if TYPE_CHECKING:
    from ops_pipelines.components.answers_settings import Answers
    from ops_pipelines.components.prompt import Prompt

FITS, COST = "fits", "cost"


def make_candidate(prompt: "Prompt", settings: "Answers", platform: Platform, *, run_id: str) -> Product:
    """The manifest of what would answer now, kept with its parts: whether it fits together, and what it will cost.

    Nobody is asked. What is refused here is kept with its reasons, and is never evaluated.
    """
    read = _read(prompt, settings, platform)
    missing = [address for address, made in read.items() if made is None]
    inputs = {address: made.digest for address, made in read.items() if made}
    if missing:
        return unmade(NotEvaluated(f"{', '.join(missing)} was never accepted"), inputs, ())
    recipe = compose_recipe(prompt.name, settings, platform, {made.key: made for made in read.values() if made})
    manifest = recipe.manifest(prompt.name)
    for content in (*recipe.contents().values(), canonical_json(manifest.to_json())):
        platform.objects.put(content)
    facts = {"run": run_id, "commit": platform.project.commit(), "inputs": inputs, "release": manifest.digest}
    verdict = _judged(settings, platform, manifest, recipe, golden_of(prompt.name, settings, platform).cases)
    if not isinstance(verdict, Passed):
        live = platform.live(PRODUCTION, prompt.name)
        platform.releases.save(manifest, Evidence(verdict, live, platform.clock.as_of(), facts))
    rows = [{"part": name, "digest": digest} for name, digest in manifest.behaviour.items()]
    shown = {"release": short(manifest.digest), "why": why_command(short(manifest.digest)), **_shown(recipe)}
    return Product(table_of(rows), manifest.digest, verdict, inputs, facts=facts, shown=shown)


def compose_recipe(name: str, settings: "Answers", platform: Platform, made: Mapping[str, Artefact]) -> Recipe:
    """The recipe of the accepted prompt and snapshot; ConfigError for settings that cannot be.

    A prompt that pins the offline reader is asked of the provider that the environment names, where it names one.
    """
    prompt = Content.from_json(name, made[f"{name}/prompt"].facts["prompt"])
    first = _pin(prompt, settings, platform)
    uses = {settings.provider.uses: str(first.fingerprint)} if settings.provider.uses else {}
    policy = read_policy(platform.project.root / settings.guardrails) if settings.guardrails else None
    return Recipe(
        prompt=replace(prompt, provider=first.provider, model=first.model),
        providers=(first, *settings.stand_ins()),
        found=_found(settings, made[f"{settings.corpus}/snapshot"]) if settings.corpus else None,
        question=settings.question,
        policy=policy,
        budgets=tuple(one.budget() for one in settings.budgets),
        prices=settings.declared_prices(),
        uses=uses,
    )


def golden_of(name: str, settings: "Answers", platform: Platform) -> GoldenSet:
    """The golden set that the settings name, or the one of the prompt's name; errors as of `golden_set`."""
    if settings.golden is None:
        return golden_set(platform.project, name)
    return read_golden_file(platform.project.root / settings.golden)


def kept_candidate(platform: Platform, candidate: Artefact) -> Release:
    """The release that a candidate would be: its manifest, with what was kept of it so far."""
    digest = str(candidate.facts["release"])
    known = platform.release(candidate.key.partition("/")[0], digest)
    if known:
        return known
    manifest = Manifest.from_json(json.loads(platform.objects.get(digest)))
    return Release(manifest, (Evidence(NotEvaluated("being judged"), None, platform.clock.as_of()),))


def _read(prompt: "Prompt", settings: "Answers", platform: Platform) -> dict[str, Artefact | None]:
    """What was accepted last of the prompt and of the corpus, by address."""
    keys = [f"{prompt.name}/prompt", *([f"{settings.corpus}/snapshot"] if settings.corpus else [])]
    return {f"{key}@-": platform.lake.good(key) for key in keys}


def _pin(prompt: Content, settings: "Answers", platform: Platform) -> ProviderPin:
    """Whom the prompt is asked of: as it says, or whom the environment names in place of the offline reader."""
    said = settings.provider
    asked = (
        default_pin(ask=True) if prompt.provider == extractive.PROVIDER else ProviderPin(prompt.provider, prompt.model)
    )
    fingerprint = said.fingerprint if said.uses is None else _release_of(said.uses, platform)
    return replace(asked, answers_as=said.answers_as, fingerprint=fingerprint, moved=said.moved)


def _release_of(system: str, platform: Platform) -> str:
    digest = platform.live(PRODUCTION, system)
    if digest is None:
        raise ConfigError(
            f"The provider is to be {system!r}, of which nothing is live",
            expected="a live release, whose digest its answers carry as their fingerprint",
            action=f"`ops promote {system} RELEASE` first",
            system=system,
        )
    return digest


def _found(settings: "Answers", snapshot: Artefact) -> Found:
    corpus = snapshot.key.partition("/")[0]
    retrieval = Retrieval(
        corpus=corpus,
        embedder=str(snapshot.facts["embedder"]),
        mode=settings.mode,
        k=settings.k,
        fusion=Fusion(**snapshot.facts["fusion"]),
        passages=settings.passages,
    )
    return Found(retrieval, snapshot.digest, str(snapshot.facts["pin"]))


def _judged(
    settings: "Answers", platform: Platform, manifest: Manifest, recipe: Recipe, cases: tuple[Case, ...]
) -> Verdict:
    """Whether it would answer here, and whether a request of it costs no more than it may beside what is live."""
    whole = Release(manifest, (Evidence(NotEvaluated("being judged"), None, platform.clock.as_of()),))
    fits = platform.works_here(whole)
    judgements = [Judgement(FITS, manifest.digest, fits)]
    live = live_release(platform.releases, manifest.system, PRODUCTION)
    if isinstance(fits, Passed) and live and live.digest != manifest.digest:
        cost = _projected(settings, platform, recipe_of(platform, live), recipe, cases)
        judgements.append(Judgement(COST, manifest.digest, cost))
    return decide(manifest.digest, required=[one.name for one in judgements], judgements=judgements)


def _projected(
    settings: "Answers", platform: Platform, before: Recipe, after: Recipe, cases: tuple[Case, ...]
) -> Verdict:
    lengths = _recorded_lengths(platform, after.prompt.name)
    ours, theirs = (_valued(recipe, platform) for recipe in (after, before))
    asked = [AskedCase(case.id, ours(case), output_tokens=lengths.get(case.id), before=theirs(case)) for case in cases]
    price_of = partial(_price, GenAIPrices(after.declared_prices()), platform)
    return judge_projected_cost(before.prompt, after.prompt, asked, price_of, settings.cost.rule())


def _price(prices: GenAIPrices, platform: Platform, provider: str, model: str, usage: Any) -> Any:
    return prices.usd(provider, model, usage, platform.clock.wall())


def _valued(recipe: Recipe, platform: Platform) -> Callable[[Case], dict[str, Any]]:
    """A function from a case to what a recipe asks it with, in its own snapshot and by its own rule."""
    return partial(_values, recipe, open_recipe(replace(recipe, providers=()), "", platform.corpora).look_up)


def _values(recipe: Recipe, look_up: Callable[[str], Sequence[Passage]], case: Case) -> dict[str, Any]:
    """What a case is asked with."""
    values = {recipe.question: case.question}
    if recipe.found:
        values[recipe.found.retrieval.passages] = render_passages((*look_up(case.question), *case.also))
    return values


def _recorded_lengths(platform: Platform, name: str) -> dict[str, int]:
    """How long the answer to each case was when it was evaluated last, in tokens; empty where it never was."""
    try:
        table = platform.lake.read(f"{name}/evaluation", "-")
    except DataError:
        return {}
    rows = table.select(["case", "output_tokens"]).to_pylist() if "output_tokens" in table.column_names else []
    return {row["case"]: row["output_tokens"] for row in rows if row["output_tokens"] is not None}


def _shown(recipe: Recipe) -> dict[str, Any]:
    asked = ", then ".join(f"{pin.provider}/{pin.model}" for pin in recipe.providers)
    looked_up = f"{recipe.found.retrieval.corpus}@{short(recipe.found.snapshot)}" if recipe.found else "nothing"
    return {"asked of": asked, "looked up in": looked_up}
