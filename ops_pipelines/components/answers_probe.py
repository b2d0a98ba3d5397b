"""The daily canary of what answers: a few cases asked anew of the live release, judged against its own earlier days."""

import json
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
    run = evaluate_recipe(
        settings, platform, prompt.name, _reporting(recipe_of(platform, live)), cases, cache=AskAnew()
    )
    today = probe_day(live.digest, run, settings, platform)
    days = [*_days_before(prompt.name, platform, today), today][-KEPT_DAYS:]
    found = judge_probe(days, settings.probe.rule(), run.clusters())
    rows = [{"day": day.day.isoformat(), "release": day.release, "record": json.dumps(day.to_json())} for day in days]
    return Product(
        table_of(rows),
        digest=digest_json([day.to_json() for day in days]),
        verdict=_asked(run),
        inputs={},
        facts={"release": live.digest, "day": today.day.isoformat(), "days": len(days)},
        shown={"release": short(live.digest), "days": len(days), "today": shown_table(_shown(run, today))},
        findings={AS_BEFORE: found},
    )


def probes_of(cases: Sequence[Case], count: int) -> tuple[Case, ...]:
    """So many cases spread over a golden set, the same ones for the same set; all of a smaller one."""
    step = max(len(cases) / count, 1.0)
    return tuple(cases[int(place * step)] for place in range(min(count, len(cases))))


def probe_day(release: str, run: EvalRun, settings: "Answers", platform: Platform) -> ProbeDay:
    """What a run of probes was, on the platform's day: of each the mean of what the gate compares."""
    answers = [one.answer for one in run.scored if one.answer]
    return ProbeDay(
        day=platform.clock.as_of().date(),
        release=release,
        scores={one.case: _mean([one.scores.get(name) for name in settings.gate.compared]) for one in run.scored},
        models=tuple(sorted({answer.model for answer in answers if answer.model})),
        fingerprints=tuple(sorted({answer.fingerprint for answer in answers if answer.fingerprint})),
    )


def _reporting(recipe: Recipe) -> Recipe:
    """The recipe with pins that keep another model's answers: a day on which the model moved is told by its name."""
    return replace(recipe, providers=tuple(replace(pin, moved=REPORT) for pin in recipe.providers))


def _mean(scores: Sequence[float | None]) -> float | None:
    told = [score for score in scores if score is not None]
    return fmean(told) if told else None


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


def _shown(run: EvalRun, today: ProbeDay) -> list[Mapping[str, Any]]:
    return [
        {"probe": one.case, "score": today.scores[one.case], "answer": one.answer.text if one.answer else one.error}
        for one in run.scored
    ]
