"""An evaluation on a golden set, kept in the home and mirrored to MLflow: the one way that commands and assets take."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ops_pipelines.adapters.mlflow_evaluations import MLflowEvaluations
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.scorer_code import versioned_by_code
from ops_pipelines.llmops.answering import Answerer
from ops_pipelines.llmops.evals.cache import AskAnew
from ops_pipelines.llmops.evals.golden_set import GoldenSet
from ops_pipelines.llmops.evals.log import Evaluation
from ops_pipelines.llmops.evals.run import run_evaluation
from ops_pipelines.llmops.evals.scorer import Scorer
from ops_pipelines.llmops.evals.scorers import STANDARD


@dataclass(frozen=True, slots=True)
class Pace:
    """How many cases are asked at once, how often each, and whether `again`, whatever was answered before."""

    concurrency: int = 8
    repeats: int = 1
    again: bool = False


DEFAULT_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated: a system, and the facts by which people know it there (prompt, corpus, model), as plain JSON."""

    system: str
    facts: Mapping[str, Any] = field(default_factory=dict)


async def run_golden(
    answerer: Answerer,
    golden: GoldenSet,
    scorers: Sequence[Scorer] = STANDARD,
    *,
    platform: Platform,
    subject: Subject,
    pace: Pace = DEFAULT_PACE,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluation:
    """The evaluation of a system, kept.

    MLflow is only a mirror: what went wrong there is a fact of the evaluation (`mlflow_problem`), and no error.
    """
    run = await run_evaluation(
        answerer,
        golden.cases,
        versioned_by_code(scorers),
        cache=AskAnew() if pace.again else platform.evals,
        concurrency=pace.concurrency,
        repeats=pace.repeats,
        progress=progress,
    )
    made = Evaluation(subject.system, golden.name, platform.clock.wall(), run, dict(subject.facts))
    kept = replace(made, facts={**made.facts, **_mirrored(platform, made)})
    platform.evals.keep(kept)
    return kept


def _mirrored(platform: Platform, made: Evaluation) -> dict[str, str]:
    try:
        return {"mlflow_run": MLflowEvaluations(platform.registry).record(made)}
    except Exception as error:  # whatever a mirror breaks on, what was asked and paid is kept
        return {"mlflow_problem": str(error)}
