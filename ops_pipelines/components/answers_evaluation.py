"""A candidate is evaluated on the golden set: its scores on every case, with what failed and why."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.answers_asking import evaluate_golden
from ops_pipelines.components.answers_candidate import golden_of, kept_candidate
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import NotEvaluated
from ops_pipelines.llmops.evals.run import EvalRun
from ops_pipelines.llmops.evals.summary import EvalRule, judge_run, summarise

if TYPE_CHECKING:
    from ops_pipelines.components.answers_settings import Answers
    from ops_pipelines.components.prompt import Prompt


def make_evaluation(prompt: "Prompt", settings: "Answers", platform: Platform) -> Product:
    """The scores of the candidate on every case; NotEvaluated where some case has none, or there is no case.

    What was asked before, of the same recipe and case, is not asked again.
    """
    candidate = platform.lake.good(f"{prompt.name}/candidate")
    if candidate is None:
        return unmade(NotEvaluated("no candidate was accepted"), {}, ())
    release, golden = kept_candidate(platform, candidate), golden_of(prompt.name, settings, platform)
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


def rows_of(run: EvalRun) -> list[dict[str, Any]]:
    """A run as rows of plain values: a case and a repeat each, with its scores and what was answered."""
    return [
        {
            "case": one.case,
            "kind": one.kind,
            "repeat": one.repeat,
            **{name: one.scores.get(name) for name in run.scorers},
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


def _failures(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    shown = ("case", "kind", "why", "answer", "error")
    return [{name: row[name] for name in shown} for row in rows if row["why"] or row["error"]][:50]
