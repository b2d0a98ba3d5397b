"""A candidate is held against recorded runs: each is replayed with its program, and nothing outside is touched."""

from typing import TYPE_CHECKING

from ops_pipelines.adapters.agents import open_agent
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.recorded_runs import recorded_lately, replayed_by, runs_of
from ops_pipelines.agentops.recorded_run import recording_to_json
from ops_pipelines.agentops.regression import Regressed, judge_regression
from ops_pipelines.agentops.run_log import Recording
from ops_pipelines.components.agent_candidate import kept_candidate
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, digest_json, short
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import NotEvaluated, Passed

if TYPE_CHECKING:
    from ops_pipelines.components.agent import Agent

AS_RECORDED = "as_recorded"


def make_replays(agent: "Agent", platform: Platform) -> Product:
    """Each recorded run with whether the candidate takes the same turns, and where and why it does not, as a row.

    The recorded runs are kept by content: what was judged can be judged again. A run that would be altered is a finding;
    whether it keeps the gate shut is the gate's to say.
    """
    candidate = platform.lake.good(f"{agent.name}/candidate")
    if candidate is None:
        return unmade(NotEvaluated("no candidate was accepted"), {}, (AS_RECORDED,))
    inputs = {candidate.address: candidate.digest}
    try:
        recordings = recorded_set(agent, platform)
    except DataError as error:
        return unmade(NotEvaluated(error.wrong), inputs, (AS_RECORDED,))
    release = kept_candidate(platform, candidate)
    kept = {one.run: platform.objects.put(canonical_json(recording_to_json(one))) for one in recordings}
    found = replayed(platform, release, recordings)
    as_recorded = judge_regression(found, agent.replays.rule())
    rows = [{**one.to_row(), "recorded": kept[one.run]} for one in found]
    return Product(
        table_of(rows),
        digest=digest_json([release.digest, rows]),
        verdict=Passed({"runs": len(found)}),
        inputs=inputs,
        facts={"release": release.digest, "recorded": kept},
        shown={
            "release": short(release.digest),
            "recorded runs": len(found),
            "would run otherwise": shown_table(row for row in rows if not row["same"]),
        },
        findings={AS_RECORDED: as_recorded},
    )


def recorded_set(agent: "Agent", platform: Platform) -> tuple[Recording, ...]:
    """The runs that releases of an agent are held against, each once; DataError as `runs_of`."""
    said = agent.replays
    kept = runs_of(platform.project, agent.name, said.runs)
    found = {one.run: one for one in (*recorded_lately(platform, agent.name, said.days), *kept)}
    return tuple(found[run] for run in sorted(found))


def replayed(platform: Platform, release: Release, recordings: tuple[Recording, ...]) -> list[Regressed]:
    """Each recorded run beside its replay with a release; none where there is no recorded run."""
    if not recordings:
        return []
    opened = open_agent(platform, release.manifest)
    return replayed_by(opened.name, opened.program, opened.agent.settings, recordings, release=release.digest)
