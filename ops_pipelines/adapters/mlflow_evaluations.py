"""Evaluations in MLflow, as a mirror for people: a run with the means, a table of what failed, and what people said.

An answer that failed, or that somebody labelled, is a trace of the run there, with its scores and labels as assessments.
Their ids come from the evaluation's, so that a label finds its answer and nothing is recorded twice. Nothing is read back.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.llmops.evals.label import Label
from ops_pipelines.llmops.evals.log import Evaluation
from ops_pipelines.llmops.evals.result import Scored
from ops_pipelines.llmops.evals.summary import FAILED_BELOW, RunSummary, summarise

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Feedback, TraceInfo

ID = "ops_evaluation_id"
MOST_TRACES = 100
_MOST_TEXT = 4_000


class MLflowEvaluations:
    """The evaluations of one home's MLflow. RegistryError where MLflow fails."""

    def __init__(self, registry: MLflowRegistry) -> None:
        self.registry = registry

    def record(self, evaluation: Evaluation) -> str:
        """The id of the evaluation's run, made where there is none."""
        with self.registry.client(f"record an evaluation of {evaluation.system!r}") as client:
            experiment = self.registry.experiment(client, evaluation.system)
            return _run_of(client, experiment, evaluation) or self._recorded(client, experiment, evaluation)

    def record_labels(self, evaluation: Evaluation, labels: Sequence[Label]) -> int:
        """How many labels became assessments of an evaluation's answers; its run is made where there is none."""
        run = self.record(evaluation)
        answers = {(one.case, one.repeat): one for one in evaluation.run.scored if one.answer}
        known = [
            (label, answers[label.case, label.repeat]) for label in labels if (label.case, label.repeat) in answers
        ]
        with self.registry.client(f"record labels of {evaluation.system!r}") as client:
            experiment = self.registry.experiment(client, evaluation.system)
            for label, answer in known:
                trace = self._trace(experiment, run, evaluation, answer)
                self._tracing().log_assessment(trace, _of_person(label, trace))
        return len(known)

    def _recorded(self, client: "MlflowClient", experiment: str, evaluation: Evaluation) -> str:
        from mlflow.exceptions import MlflowException

        summary, name = summarise(evaluation.run), f"evaluation {evaluation.golden} {utc(evaluation.at):%Y-%m-%d %H:%M}"
        made = str(client.create_run(experiment, run_name=name, tags=_tags(evaluation)).info.run_id)
        try:
            _log_summary(client, made, evaluation, summary)
            failed = [one for one in evaluation.run.scored if _is_failure(one)]
            if failed:
                client.log_table(made, _table(failed), "failures.json")
            for one in failed[:MOST_TRACES]:
                self._trace(experiment, made, evaluation, one)
        except BaseException:
            with suppress(MlflowException):
                client.set_terminated(made, "FAILED")
            raise
        client.set_terminated(made)
        return made

    def _trace(self, experiment: str, run: str, evaluation: Evaluation, one: Scored) -> str:
        """The trace of an answer, made where there is none."""
        from mlflow.exceptions import MlflowException

        tracing, trace = self._tracing(), trace_id(evaluation, one.case, one.repeat)
        try:
            tracing.get_trace_info(trace)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            tracing.start_trace(_trace_info(experiment, run, evaluation, one))
        return trace

    def _tracing(self) -> Any:
        from mlflow.tracing.client import TracingClient

        return TracingClient(self.registry.uri)


def trace_id(evaluation: Evaluation, case: str, repeat: int) -> str:
    """What MLflow calls an answer of an evaluation."""
    return f"tr-{digest_json([evaluation.id, case, repeat])[:32]}"


def _run_of(client: "MlflowClient", experiment: str, evaluation: Evaluation) -> str | None:
    found = client.search_runs([experiment], f"tags.{ID} = '{evaluation.id}' and attributes.status = 'FINISHED'")
    return str(found[0].info.run_id) if found else None


def _tags(evaluation: Evaluation) -> dict[str, str]:
    run = evaluation.run
    known = {ID: evaluation.id, "golden": evaluation.golden, "golden_sha256": run.cases, "answerer": run.answerer}
    stopped = {"stopped": run.stopped[:_MOST_TEXT]} if run.stopped else {}
    return {**{name: str(fact)[:_MOST_TEXT] for name, fact in evaluation.facts.items()}, **known, **stopped}


def _log_summary(client: "MlflowClient", run: str, evaluation: Evaluation, summary: RunSummary) -> None:
    from mlflow.entities import Metric, Param

    now = client.get_run(run).info.start_time
    numbers: dict[str, float] = {"cases": summary.cases, "errors": len(summary.errors)}
    for name, one in summary.scores.items():
        low, high = one.interval or (None, None)
        found = {f"{name}/mean": one.mean, f"{name}/low": low, f"{name}/high": high}
        numbers |= {key: value for key, value in found.items() if value is not None}
        numbers[f"{name}/not_evaluated"] = one.missing
    client.log_batch(
        run,
        metrics=[Metric(name, float(value), now, 0) for name, value in numbers.items()],
        params=[Param(f"scorer_{name}", short(version)) for name, version in evaluation.run.scorers.items()],
    )


def _is_failure(one: Scored) -> bool:
    return bool(one.error) or any(value is None or value < FAILED_BELOW for value in one.scores.values())


def _table(failed: Sequence[Scored]) -> dict[str, list[Any]]:
    rows = [
        {
            "case": one.case,
            "kind": one.kind,
            "repeat": one.repeat,
            "question": one.question,
            "answer": one.answer.text if one.answer else "",
            "failed": ", ".join(name for name, value in one.scores.items() if value is None or value < FAILED_BELOW),
            "why": one.error or "; ".join(f"{name}: {why}" for name, why in one.why.items()),
        }
        for one in failed
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _trace_info(experiment: str, run: str, evaluation: Evaluation, one: Scored) -> "TraceInfo":
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    trace, text = trace_id(evaluation, one.case, one.repeat), one.answer.text if one.answer else one.error
    return TraceInfo(
        trace_id=trace,
        trace_location=TraceLocation.from_experiment_id(experiment),
        request_time=int(utc(evaluation.at).timestamp() * 1000),
        state=TraceState.ERROR if one.error else TraceState.OK,
        request_preview=one.question[:_MOST_TEXT],
        response_preview=text[:_MOST_TEXT],
        execution_duration=int(one.answer.latency_ms) if one.answer else 0,
        trace_metadata={
            "mlflow.sourceRun": run,
            "mlflow.traceInputs": json.dumps(one.question[:_MOST_TEXT]),
            "mlflow.traceOutputs": json.dumps(text[:_MOST_TEXT]),
        },
        tags={"mlflow.traceName": one.case, "kind": one.kind},
        assessments=list(_of_scorers(evaluation, one, trace)),
    )


def _of_scorers(evaluation: Evaluation, one: Scored, trace: str) -> "Iterator[Feedback]":
    from mlflow.entities import AssessmentSource, Feedback

    for name, value in one.scores.items():
        source = AssessmentSource("CODE", f"{name}@{short(evaluation.run.scorers.get(name, ''))}")
        why = one.why.get(name, "")[:_MOST_TEXT] or None
        failure = (why or "not evaluated") if value is None else None
        yield Feedback(name=name, value=value, error=failure, source=source, trace_id=trace, rationale=why)


def _of_person(label: Label, trace: str) -> "Feedback":
    from mlflow.entities import AssessmentSource, Feedback

    source, when = AssessmentSource("HUMAN", label.by), int(utc(label.at).timestamp() * 1000)
    return Feedback(
        name=label.aspect,
        value=label.value,
        source=source,
        trace_id=trace,
        rationale=label.note or None,
        create_time_ms=when,
        last_update_time_ms=when,
    )
