"""The assets of a prompt that answers: candidate, evaluation, comparison, release, probe, and the days of its answers."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.answer_days import answer_days
from ops_pipelines.components.answers_candidate import make_candidate
from ops_pipelines.components.answers_evaluation import make_evaluation
from ops_pipelines.components.answers_gate import make_comparison
from ops_pipelines.components.answers_probe import AS_BEFORE, make_probe
from ops_pipelines.components.answers_settings import Answers
from ops_pipelines.components.conditions import gated_eager, scheduled
from ops_pipelines.components.going_live import make_live
from ops_pipelines.components.model_jobs import pointer_jobs
from ops_pipelines.components.publishing import finding_spec, gate_spec, publish
from ops_pipelines.core.fingerprint import digest_json

if TYPE_CHECKING:
    from ops_pipelines.components.prompt import Prompt


def answers_defs(prompt: "Prompt", settings: Answers) -> dg.Definitions:
    """Everything that stands between a prompt and its going live, with the jobs and the schedule of it."""
    wired = _Answers(prompt, settings)
    assets = [wired.candidate(), wired.evaluation(), wired.comparison(), wired.release()]
    probe = wired.probe()
    look = dg.define_asset_job(f"probe_{prompt.name}", dg.AssetSelection.assets(probe))
    job = dg.define_asset_job(f"evaluate_{prompt.name}", dg.AssetSelection.assets(*assets))
    made = dg.Definitions(
        assets=[*assets, probe],
        jobs=[job, look, *pointer_jobs(prompt.name)],
        schedules=[*scheduled(job, settings.schedule), *scheduled(look, settings.probe.schedule)],
    )
    return dg.Definitions.merge(made, answer_days(prompt.name, settings.days, owners=prompt.owners))


class _Answers:
    """The assets of one prompt; each reads what the one before it left in the lake."""

    def __init__(self, prompt: "Prompt", settings: Answers) -> None:
        self._prompt, self._settings = prompt, settings

    def candidate(self) -> dg.AssetsDefinition:
        corpus = self._settings.corpus
        inputs = [self._key("prompt"), *([dg.AssetKey([corpus, "snapshot"])] if corpus else [])]

        @self._asset("candidate", "is_sound", inputs, "All that decides how questions are answered now, put together.")
        def candidate(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_candidate(self._prompt, self._settings, platform, run_id=context.run.run_id)
            return publish(context, platform, made, check="is_sound")

        return candidate

    def evaluation(self) -> dg.AssetsDefinition:
        inputs = [self._key("candidate")]

        @self._asset("evaluation", "is_complete", inputs, "The candidate's scores on every case of the golden set.")
        def evaluation(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_evaluation(self._prompt, self._settings, platform)
            return publish(context, platform, made, check="is_complete")

        return evaluation

    def comparison(self) -> dg.AssetsDefinition:
        inputs = [self._key("evaluation")]

        @self._asset("comparison", "gate", inputs, "The candidate beside what is live, on the same cases: the gate.")
        def comparison(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_comparison(self._prompt, self._settings, platform, run_id=context.run.run_id)
            return publish(context, platform, made, check="gate")

        return comparison

    def release(self) -> dg.AssetsDefinition:
        inputs = [self._key("comparison")]

        @self._asset(
            "release", "is_live", inputs, "The candidate, live: the pointer moved to it after its gate passed."
        )
        def release(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            name, key = self._prompt.name, f"{self._prompt.name}/comparison"
            made = make_live(name, platform, platform.lake.latest(key), key, actor=f"run {context.run.run_id}")
            return publish(context, platform, made, check="is_live")

        return release

    def probe(self) -> dg.AssetsDefinition:
        key = self._key("probe")

        @dg.asset(
            key=key,
            deps=[self._key("release")],
            check_specs=[gate_spec("is_asked", key, None), finding_spec(AS_BEFORE, key, None)],
            code_version=code_version("ops_pipelines.llmops.probe"),
            description="A few questions asked of what is live, each day anew: whether its provider answers as before.",
            owners=self._prompt.owners,
            group_name=self._prompt.name,
        )
        def probe(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_probe(self._prompt, self._settings, platform)
            return publish(context, platform, made, check="is_asked")

        return probe

    def _key(self, part: str) -> dg.AssetKey:
        return dg.AssetKey([self._prompt.name, part])

    def _asset(self, part: str, check: str, inputs: list[dg.AssetKey], description: str) -> Any:
        return dg.asset(
            key=self._key(part),
            deps=inputs,
            check_specs=[gate_spec(check, self._key(part), None)],
            code_version=digest_json([code_version("ops_pipelines.llmops.answering"), self._settings.to_json()]),
            automation_condition=gated_eager(),
            description=description,
            owners=self._prompt.owners,
            group_name=self._prompt.name,
        )
