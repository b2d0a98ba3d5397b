"""The daily canary of what answers: a few cases asked anew of the live release, judged against its own earlier days."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.answerers import recipe_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.answers_asking import evaluate_recipe
from ops_pipelines.components.answers_candidate import golden_of
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.evals.cache import AskAnew
from ops_pipelines.llmops.evals.case import Case
from ops_pipelines.llmops.evals.result import EvalRun
from ops_pipelines.llmops.probe import judge_probe
from ops_pipelines.llmops.probe_day import ProbeDay
from ops_pipelines.llmops.provider_pin import REPORT
from ops_pipelines.llmops.recipe import Recipe

if TYPE_CHECKING:
    from ops_pipelines.components.answers_settings import Answers
    from ops_pipelines.components.prompt import Prompt

AS_BEFORE = "answers_as_before"
KEPT_DAYS = 400


def make_probe(prompt: "Prompt", settings: "Answers", platform: Platform) -> Product:
    """Today's scores after those of the days before; the finding says whether the provider answers as it did."""
    live = live_release(platform.releases, prompt.name, PRODUCTION)
    if live is None:
        return unmade(NotEvaluated("nothing is live"), {}, (AS_BEFORE,))
    cases = probes_of(golden_of(prompt.name, settings, platform).cases, settings.probe.cases)
    recipe = _reporting(recipe_of(platform, live))
    run = evaluate_recipe(settings, platform, prompt.name, recipe, cases, cache=AskAnew(), release=live.digest)
    today = probe_day(live.digest, run, settings, platform, cases)
    days = [*_days_before(prompt.name, platform, today), today][-KEPT_DAYS:]
    names = {case.id: probe_id(case, run, settings) for case in cases}
    clusters = {names[case]: cluster for case, cluster in run.clusters().items()}
    found = judge_probe(days, settings.probe.rule(), clusters)
    rows = [{"day": day.day.isoformat(), "release": day.release, "record": json.dumps(day.to_json())} for day in days]
    return Product(
        table_of(rows),
        digest=digest_json([day.to_json() for day in days]),
        verdict=_asked(run),
        inputs={},
        facts={"release": live.digest, "day": today.day.isoformat(), "days": len(days)},
        shown={"release": short(live.digest), "days": len(days), "today": shown_table(_shown(run, today, names))},
        findings={AS_BEFORE: found},
    )


def probes_of(cases: Sequence[Case], count: int) -> tuple[Case, ...]:
    """So many cases, one of each cluster before a second of any, since it is clusters that tell; all of a smaller set.

    They are chosen by their ids, so that an edit of the golden set changes few of them.
    """
    ranks: Counter[str] = Counter()
    ranked = []
    for case in sorted(cases, key=lambda one: digest_json(one.id)):
        ranked.append((ranks[case.independent], case))
        ranks[case.independent] += 1
    return tuple(case for _, case in sorted(ranked, key=lambda one: one[0])[:count])


def probe_day(release: str, run: EvalRun, settings: "Answers", platform: Platform, asked: Sequence[Case]) -> ProbeDay:
    """What a run of probes was, on the platform's day: of each the mean of what the gate compares, over its repeats."""
    cases = {case.id: case for case in asked}
    answers = [one.answer for one in run.scored if one.answer]
    return ProbeDay(
        day=platform.clock.as_of().date(),
        release=release,
        scores={probe_id(cases[one.case], run, settings): _mean(one.case, run, settings) for one in run.scored},
        models=tuple(sorted({answer.model for answer in answers if answer.model})),
        fingerprints=tuple(sorted({answer.fingerprint for answer in answers if answer.fingerprint})),
    )


def _reporting(recipe: Recipe) -> Recipe:
    """The recipe of the first provider alone, whose pin keeps another model's answers: who moved is told by its name.

    Nobody stands in for it: an outage is a probe without an answer, and no other model.
    """
    return replace(recipe, providers=(replace(recipe.providers[0], moved=REPORT),))


def probe_id(case: Case, run: EvalRun, settings: "Answers") -> str:
    """What a probe is called: another name where its question or its scoring is another."""
    decided = [case.digest, settings.gate.compared, {name: run.scorers.get(name) for name in settings.gate.compared}]
    return f"{case.id}@{digest_json(decided)[:8]}"


def _mean(case: str, run: EvalRun, settings: "Answers") -> float | None:
    """The mean of all that the gate asks of a case; None where some of it could not be told."""
    asked = [
        one.scores[name]
        for one in run.scored
        if one.case == case
        for name in settings.gate.compared
        if name in one.scores
    ]
    told = [score for score in asked if score is not None]
    return fmean(told) if told and len(told) == len(asked) else None


def _days_before(name: str, platform: Platform, today: ProbeDay) -> list[ProbeDay]:
    """The days on record before today; one that was asked again replaces what it was."""
    try:
        rows = platform.lake.read(f"{name}/probe", "-").to_pylist()
    except DataError:
        return []
    days = [ProbeDay.from_json(json.loads(row["record"])) for row in rows]
    return [day for day in days if day.day < today.day]


def _asked(run: EvalRun) -> Verdict:
    """Whether anybody answered at all: what was not asked says nothing of a provider."""
    unanswered = {one.case: one.error for one in run.errors}
    if run.scored and len(unanswered) < len(run.scored):
        return Passed({"probes": len(run.scored), "unanswered": unanswered})
    return Blocked(
        (f"none of {len(run.scored)} probes was answered: {next(iter(unanswered.values()), 'there is none')}",)
    )


def _shown(run: EvalRun, today: ProbeDay, names: Mapping[str, str]) -> list[Mapping[str, Any]]:
    return [
        {
            "probe": one.case,
            "score": today.scores[names[one.case]],
            "answer": one.answer.text if one.answer else one.error,
        }
        for one in run.scored
    ]
