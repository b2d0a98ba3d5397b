"""A candidate is run on its tasks, in worlds that touch nothing: its scores on each, with what went wrong and where."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.agents import open_agent
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project
from ops_pipelines.adapters.task_files import read_task_file, task_file
from ops_pipelines.adapters.task_stage import task_stage
from ops_pipelines.agentops.evaluation.live import TaskRun, run_tasks
from ops_pipelines.agentops.evaluation.scores import SUCCESS, evaluation_of
from ops_pipelines.agentops.evaluation.summary import summarise_agent
from ops_pipelines.agentops.evaluation.task import TaskSet
from ops_pipelines.agentops.evaluation.task_file import read_tasks
from ops_pipelines.agentops.evaluation.verdicts import judge_beside_live, judge_floors
from ops_pipelines.agentops.recorded_run import recording_to_json
from ops_pipelines.components.agent_candidate import kept_candidate
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.core.errors import ArtefactError, ConfigError, DataError
from ops_pipelines.core.fingerprint import canonical_json, digest_json, short
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.evals.log import Evaluation
from ops_pipelines.llmops.evals.result import EvalRun

if TYPE_CHECKING:
    from ops_pipelines.components.agent import Agent

GOOD_ENOUGH, BESIDE_LIVE = "good enough", "no worse than what is live"


def make_evaluation(agent: "Agent", platform: Platform) -> Product:
    """The candidate's runs on its tasks, judged step by step; NotEvaluated where some run could not be judged.

    Each run is kept by content, so that what was judged can be looked at. Nothing outside a task's world is touched, but
    for the models that the program itself asks.
    """
    candidate = platform.lake.good(f"{agent.name}/candidate")
    if candidate is None:
        return unmade(NotEvaluated("no candidate was accepted"), {}, ())
    inputs = {candidate.address: candidate.digest}
    try:
        text, tasks = tasks_for(agent, platform.project)
    except (ConfigError, DataError) as error:
        return unmade(NotEvaluated(error.wrong), inputs, ())
    release = kept_candidate(platform, candidate)
    runs = run_on(platform, release, tasks, repeats=agent.evaluation.repeats)
    made = evaluation_of(release.digest, tasks, [one.verdict for one in runs])
    kept = Evaluation(
        agent.name,
        agent.name,
        platform.clock.wall(),
        made,
        {"release": release.digest, "tasks": platform.objects.put(text.encode())},
    )
    platform.evals.keep(kept)
    return _product(platform, release, kept, runs, inputs)


def tasks_for(agent: "Agent", project: Project) -> tuple[str, TaskSet]:
    """The text and the tasks of an agent's file; ConfigError where there is none, DataError for a broken one."""
    file = task_file(project, agent.name, agent.evaluation.tasks)
    tasks = read_task_file(file, agent.name)
    return file.read_text(encoding="utf-8"), tasks


def run_on(platform: Platform, release: Release, tasks: TaskSet, *, repeats: int) -> list[TaskRun]:
    """The runs of a release on some tasks."""
    opened = open_agent(platform, release.manifest)
    with task_stage(opened.name, release.digest, opened.agent, opened.program) as stage:
        return list(run_tasks(tasks, stage, repeats=repeats))


def judge_evaluation(
    agent: "Agent", platform: Platform, release: Release, live: Release | None, evaluation: Artefact
) -> Mapping[str, Verdict]:
    """What the gate asks of a candidate's runs: that they are good enough, and no worse than those of what is live.

    The two are held against each other on the tasks that the live release was judged by; where these are others by now,
    the candidate is run on them, too.
    """
    kept = _kept(platform, str(evaluation.facts.get("evaluation", "")))
    if kept is None or kept.facts.get("release") != release.digest:
        why = NotEvaluated("the candidate was not evaluated as it is: evaluate it again")
        return dict.fromkeys((GOOD_ENOUGH, *([BESIDE_LIVE] if live else [])), why)
    found = {GOOD_ENOUGH: judge_floors(kept.run, agent.evaluation.floor_rule())}
    return found | ({BESIDE_LIVE: _beside(agent, platform, release, live, kept.run)} if live else {})


def _beside(agent: "Agent", platform: Platform, release: Release, live: Release, ours: EvalRun) -> Verdict:
    evaluations = platform.evals.evaluations(system=agent.name)
    before = next((one for one in evaluations if one.facts.get("release") == live.digest), None)
    if before is None:
        return NotEvaluated(f"no evaluation of {short(live.digest)}, which is live, was kept")
    if before.run.cases != ours.cases:
        try:
            tasks = read_tasks(agent.name, platform.objects.get(str(before.facts.get("tasks"))).decode())
        except (ArtefactError, DataError) as error:
            return NotEvaluated(f"the tasks by which {short(live.digest)} went live are lost: {error.wrong}")
        runs = run_on(platform, release, tasks, repeats=agent.evaluation.repeats)
        ours = evaluation_of(release.digest, tasks, [one.verdict for one in runs])
    return judge_beside_live(ours, before.run, rule=agent.evaluation.compare_rule())


def _kept(platform: Platform, id: str) -> Evaluation | None:
    return platform.evals.find(id) if id else None


def _product(
    platform: Platform, release: Release, kept: Evaluation, runs: Sequence[TaskRun], inputs: Mapping[str, str]
) -> Product:
    summary = summarise_agent(kept.run, [one.verdict for one in runs])
    rows = [_row(platform, one) for one in runs]
    unjudged = [row["task"] for row in rows if row["success"] is None]
    return Product(
        table_of(rows),
        digest=digest_json([release.digest, kept.run.cases, [one.verdict.to_json() | {"run": ""} for one in runs]]),
        verdict=NotEvaluated(f"{len(unjudged)} runs could not be judged: {', '.join(unjudged[:5])}")
        if unjudged
        else Passed({"runs": len(rows)}),
        inputs=inputs,
        facts={
            "release": release.digest,
            "cases": kept.run.cases,
            "evaluation": kept.id,
            "tasks": kept.facts["tasks"],
            "recorded": {f"{row['task']} {row['repeat']}": row["recorded"] for row in rows},
            "summary": summary.to_json(),
        },
        shown={
            "release": short(release.digest),
            "scores": shown_table(summary.rows()),
            "failures": shown_table(row for row in rows if not row["success"]),
            "what steps were": shown_table({"step": kind, "count": count} for kind, count in summary.kinds.items()),
            "cost and length": dg.MetadataValue.json({**summary.to_json()["usd"], "steps": summary.steps.to_json()}),
            "success": _share(summary.rates[SUCCESS].row()["mean"]),
        },
    )


def _row(platform: Platform, one: TaskRun) -> dict[str, Any]:
    found = one.verdict
    decisive = found.decisive
    return {
        "task": found.task,
        "repeat": found.repeat,
        "success": found.success,
        "why": "; ".join(found.why),
        "decisive": f"{decisive.tool}: {decisive.kind}" if decisive else "",
        "missteps": len(found.missteps),
        "steps": found.effort.steps,
        "tool_calls": found.effort.tool_calls,
        "usd": None if found.effort.usd is None else float(found.effort.usd),
        "run": found.run,
        "verdict": canonical_json(found.to_json()).decode(),
        "recorded": platform.objects.put(canonical_json(recording_to_json(one.recording))),
    }


def _share(mean: float | None) -> str:
    return "unknown" if mean is None else f"{mean:.0%}"
