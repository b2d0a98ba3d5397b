"""The gate of what answers: a candidate beside what is live, on the same cases."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.answers_asking import evaluate
from ops_pipelines.components.answers_candidate import golden_of, kept_candidate
from ops_pipelines.components.gating import keep_verdict, let_in_before
from ops_pipelines.components.publishing import Product, unmade
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import NotEvaluated, Verdict, name_of
from ops_pipelines.llmops.evals.case import Case, digest_of_cases
from ops_pipelines.llmops.evals.compare import Comparison, compare_runs, judge_comparison
from ops_pipelines.llmops.evals.run import EvalRun
from ops_pipelines.llmops.evals.summary import judge_run
from ops_pipelines.llmops.spending import judge_latency

if TYPE_CHECKING:
    from ops_pipelines.components.answers_settings import Answers
    from ops_pipelines.components.prompt import Prompt


def make_comparison(prompt: "Prompt", settings: "Answers", platform: Platform, *, run_id: str) -> Product:
    """The gate: good enough by itself, and no worse than what is live on the same cases; kept as the release's evidence."""
    candidate = platform.lake.good(f"{prompt.name}/candidate")
    evaluation = platform.lake.latest(f"{prompt.name}/evaluation")
    if candidate is None or evaluation is None:
        return unmade(NotEvaluated("no candidate was evaluated"), {}, ())
    release, cases = kept_candidate(platform, candidate), golden_of(prompt.name, settings, platform).cases
    live = live_release(platform.releases, prompt.name, PRODUCTION)
    verdict, rows = judge_candidate(settings, platform, release, live, cases, evaluation)
    inputs = {made.address: made.digest for made in (candidate, evaluation)}
    facts = {
        "run": run_id,
        "commit": platform.project.commit(),
        "inputs": {**candidate.inputs, **inputs},
        "mlflow_run": evaluation.facts.get("mlflow_run"),
    }
    return keep_verdict(platform, release, live, verdict, rows, inputs=inputs, facts=facts)


def judge_candidate(
    settings: "Answers",
    platform: Platform,
    release: Release,
    live: Release | None,
    cases: Sequence[Case],
    evaluation: Artefact,
) -> tuple[Verdict, list[dict[str, Any]]]:
    """The gate's verdict on a candidate, and each compared score as a row. The candidate's run is the one that is kept."""
    if let_in := let_in_before(platform, release, live):
        return let_in, []
    run = _kept_run(platform, release, cases, evaluation)
    if run is None:
        return NotEvaluated("the candidate was not evaluated as it is, on these cases: evaluate it again"), []
    found = {"evaluated": evaluation.verdict, **_alone(settings, run)}
    compared = _beside(settings, run, evaluate(settings, platform, live, cases)) if live else {}
    verdicts = {score: judge_comparison(one, settings.gate.rule()) for score, one in compared.items()}
    found |= {f"{score} against live": verdict for score, verdict in verdicts.items()}
    judgements = [Judgement(name, release.digest, verdict) for name, verdict in found.items()]
    rows = [_compared(score, compared[score], verdict) for score, verdict in verdicts.items()]
    return decide(release.digest, required=list(found), judgements=judgements), rows


def _kept_run(platform: Platform, release: Release, cases: Sequence[Case], evaluation: Artefact) -> EvalRun | None:
    """The run that an evaluation kept; None where it was of another release, or on other cases."""
    kept = platform.evals.find(str(evaluation.facts.get("evaluation", "none")))
    if kept is None or kept.facts.get("release") != release.digest or kept.run.cases != digest_of_cases(cases):
        return None
    return kept.run


def _alone(settings: "Answers", run: EvalRun) -> dict[str, Verdict]:
    """What is said of a run without looking at what is live."""
    latency = settings.days.rule().latency
    return {
        **({"good enough": judge_run(run, settings.gate.bounds())} if settings.gate.scores() else {}),
        **({"latency": judge_latency(_latencies(run), latency)} if latency else {}),
    }


def _beside(settings: "Answers", run: EvalRun, before: EvalRun) -> dict[str, Comparison]:
    """Each score that the gate compares, with how it differs from what is live."""
    rule, clusters = settings.gate.rule(), run.clusters()
    return {
        score: compare_runs(run.values(score), before.values(score), clusters=clusters, rule=rule)
        for score in settings.gate.compared
    }


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


def _latencies(run: EvalRun) -> list[float]:
    return [one.answer.latency_ms for one in run.scored if one.answer and one.answer.provider]
