"""A candidate is evaluated on the golden set, and compared with what is live on the same cases: the gate of what answers."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg

from ops_pipelines.adapters.answerers import ledger_of, open_recipe, recipe_of
from ops_pipelines.adapters.chat_models import chat_model_of
from ops_pipelines.adapters.golden_runs import Pace, Subject, run_golden
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.scorer_code import versioned_by_code
from ops_pipelines.components.answers_candidate import golden_of
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade, why_command
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_evidence, live_release
from ops_pipelines.core.release import Evidence, Manifest, Release
from ops_pipelines.core.verdict import NotEvaluated, Verdict, name_of
from ops_pipelines.llmops.answering import Answering
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.evals.cache import EvalCache
from ops_pipelines.llmops.evals.case import Case
from ops_pipelines.llmops.evals.compare import Comparison, compare_runs, judge_comparison
from ops_pipelines.llmops.evals.golden_set import GoldenSet
from ops_pipelines.llmops.evals.judge import LLMJudge
from ops_pipelines.llmops.evals.log import Evaluation
from ops_pipelines.llmops.evals.run import EvalRun, run_evaluation
from ops_pipelines.llmops.evals.scorer import Scorer
from ops_pipelines.llmops.evals.scorers import STANDARD
from ops_pipelines.llmops.evals.summary import EvalRule, judge_run, summarise
from ops_pipelines.llmops.metered_chat import MeteredChat
from ops_pipelines.llmops.recipe import Recipe
from ops_pipelines.llmops.spending import judge_latency

if TYPE_CHECKING:
    from ops_pipelines.components.answers_settings import Answers
    from ops_pipelines.components.prompt import Prompt

Progress: TypeAlias = Callable[[int, int], None]
EVALUATION = "evaluation"
"""The feature under which the ledger counts what evaluations ask."""


def make_evaluation(prompt: "Prompt", settings: "Answers", platform: Platform) -> Product:
    """The scores of the candidate on every case; NotEvaluated where some case has none, or there is no case.

    What was asked before, of the same recipe and case, is not asked again.
    """
    candidate = platform.lake.good(f"{prompt.name}/candidate")
    if candidate is None:
        return unmade(NotEvaluated("no candidate was accepted"), {}, ())
    release, golden = _kept(platform, candidate), golden_of(prompt.name, settings, platform)
    kept = evaluate_golden(settings, platform, release, golden)
    run, summary = kept.run, summarise(kept.run)
    facts = {
        **kept.facts,
        "cases": run.cases,
        "asked": run.asked,
        "cached": run.cached,
        "evaluation": kept.id,
        "scores": {name: one.mean for name, one in summary.scores.items()},
    }
    rows = rows_of(run)
    shown = {
        "release": short(release.digest),
        "asked / cached": f"{run.asked} / {run.cached}",
        "scores": shown_table(summary.rows()),
        "failures": shown_table(_failures(rows)),
        "look": dg.MetadataValue.text(f"ops eval show {short(kept.id)}"),
    }
    return Product(
        table_of(rows),
        digest=run.digest,
        verdict=judge_run(run, EvalRule(dict.fromkeys(settings.gate.scores(), 0.0))),
        inputs={candidate.address: candidate.digest},
        facts=facts,
        shown=shown,
    )


def make_comparison(prompt: "Prompt", settings: "Answers", platform: Platform, *, run_id: str) -> Product:
    """The gate: good enough by itself, and no worse than what is live on the same cases; kept as the release's evidence."""
    candidate = platform.lake.good(f"{prompt.name}/candidate")
    evaluation = platform.lake.latest(f"{prompt.name}/evaluation")
    if candidate is None or evaluation is None:
        return unmade(NotEvaluated("no candidate was evaluated"), {}, ())
    release, cases = _kept(platform, candidate), golden_of(prompt.name, settings, platform).cases
    live = live_release(platform.releases, prompt.name, PRODUCTION)
    verdict, rows = judge_candidate(settings, platform, release, live, cases, evaluation)
    inputs = {made.address: made.digest for made in (candidate, evaluation)}
    facts = {
        "run": run_id,
        "commit": platform.project.commit(),
        "inputs": {**candidate.inputs, **inputs},
        **{name: evaluation.facts[name] for name in ("mlflow_run",) if name in evaluation.facts},
    }
    evidence = Evidence(verdict, live.digest if live else None, platform.clock.as_of(), facts)
    platform.releases.save(release.manifest, evidence)
    return Product(
        table_of(rows),
        digest=digest_json([release.digest, evidence.baseline, rows]),
        verdict=verdict,
        inputs=inputs,
        facts={"release": release.digest, "baseline": evidence.baseline},
        shown={
            "release": short(release.digest),
            "compared with": short(live.digest) if live else "nothing: it is the first",
            "compared": shown_table(rows),
            "why": why_command(short(release.digest)),
        },
    )


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


def answerer_of(platform: Platform, system: str, recipe: Recipe) -> Answering:
    """Who answers evaluations by a recipe: paid for as the feature `evaluation`, and within no budget of its callers."""
    release = recipe.manifest(system).digest
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


def evaluate_recipe(
    settings: "Answers",
    platform: Platform,
    system: str,
    recipe: Recipe,
    cases: Sequence[Case],
    *,
    cache: EvalCache,
    progress: Progress = lambda _done, _total: None,
) -> EvalRun:
    """The run of a recipe over some cases, the answers and scores of which are looked up and kept in `cache`."""
    run = run_evaluation(
        answerer_of(platform, system, recipe),
        cases,
        versioned_by_code(scorers_of(settings, platform, system, recipe)),
        cache=cache,
        concurrency=settings.concurrency,
        repeats=settings.gate.repeats,
        progress=progress,
    )
    return asyncio.run(run)


def judge_candidate(
    settings: "Answers",
    platform: Platform,
    release: Release,
    live: Release | None,
    cases: Sequence[Case],
    evaluation: Artefact,
) -> tuple[Verdict, list[dict[str, Any]]]:
    """The gate's verdict on a candidate, and each compared score as a row."""
    if live and live.digest == release.digest:
        # The same parts gave the release that is live: what let it in still holds.
        let_in = live_evidence(platform.releases, release.manifest.system, PRODUCTION) or live.latest
        return let_in.verdict, []
    run = evaluate(settings, platform, release, cases)
    stale = evaluation.facts.get("release") != release.digest or evaluation.facts.get("cases") != run.cases
    found = {
        "evaluated": NotEvaluated("it was evaluated as another release, or on other cases")
        if stale
        else evaluation.verdict
    }
    if settings.gate.least:
        found["good enough"] = judge_run(run, EvalRule(settings.gate.least))
    if latency := settings.days.rule().latency:
        found["latency"] = judge_latency(_latencies(run), latency)
    rows = []
    if live:
        before = evaluate(settings, platform, live, cases)
        for score in settings.gate.compared:
            comparison = compare_runs(
                run.values(score), before.values(score), clusters=run.clusters(), rule=settings.gate.rule()
            )
            verdict = judge_comparison(comparison, settings.gate.rule())
            found[f"{score} against live"] = verdict
            rows.append(_compared(score, comparison, verdict))
    judgements = [Judgement(name, release.digest, verdict) for name, verdict in found.items()]
    return decide(release.digest, required=list(found), judgements=judgements), rows


def rows_of(run: EvalRun) -> list[dict[str, Any]]:
    """A run as rows of plain values: a case and a repeat each, with its scores and what was answered."""
    return [
        {
            "case": one.case,
            "kind": one.kind,
            "repeat": one.repeat,
            **one.scores,
            "why": "; ".join(f"{name}: {why}" for name, why in one.why.items() if why),
            "answer": one.answer.text if one.answer else None,
            "refused_by": "; ".join(one.answer.refused_by) if one.answer else None,
            "output_tokens": one.answer.usage.output_tokens if one.answer and one.answer.usage else None,
            "usd": float(one.answer.usd) if one.answer and one.answer.usd is not None else None,
            "latency_ms": one.answer.latency_ms if one.answer else None,
            "error": one.error,
        }
        for one in run.scored
    ]


def _compared(score: str, comparison: Comparison, verdict: Verdict) -> dict[str, Any]:
    low, high = comparison.interval or (None, None)
    return {
        "score": score,
        "candidate": comparison.challenger,
        "live": comparison.champion,
        "low": low,
        "high": high,
        "found": verdict.evidence.get("found", name_of(verdict)),
    }


def _kept(platform: Platform, candidate: Artefact) -> Release:
    """The release that a candidate would be: its manifest, with what was kept of it so far."""
    digest = str(candidate.facts["release"])
    known = platform.release(candidate.key.partition("/")[0], digest)
    if known:
        return known
    manifest = Manifest.from_json(json.loads(platform.objects.get(digest)))
    return Release(manifest, (Evidence(NotEvaluated("being judged"), None, platform.clock.as_of()),))


def _latencies(run: EvalRun) -> list[float]:
    return [one.answer.latency_ms for one in run.scored if one.answer and one.answer.provider]


def _failures(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    shown = ("case", "kind", "why", "answer", "error")
    return [{name: row[name] for name in shown} for row in rows if row["why"] or row["error"]][:50]
