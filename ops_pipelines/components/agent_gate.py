"""The gate of an agent: good at its tasks, no worse than what is live, its policy and its code held against the past."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.agent_candidate import kept_candidate
from ops_pipelines.components.agent_evaluation import judge_evaluation
from ops_pipelines.components.gating import keep_verdict, let_in_before
from ops_pipelines.components.publishing import Product, unmade
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict, name_of, reasons_of

if TYPE_CHECKING:
    from ops_pipelines.components.agent import Agent

_BLOCKS: Mapping[str, Callable[["Agent"], bool]] = {
    "evaluation": lambda _: True,
    "backtest": lambda agent: agent.backtest.blocks,
    "replays": lambda agent: agent.replays.blocks,
}
JUDGED_BY = tuple(_BLOCKS)
"""The assets whose verdicts the gate asks for."""


def make_comparison(agent: "Agent", platform: Platform, *, run_id: str) -> Product:
    """The gate's verdict on the candidate, kept as the release's evidence, with each thing that it asked for as a row."""
    candidate = platform.lake.good(f"{agent.name}/candidate")
    if candidate is None:
        return unmade(NotEvaluated("no candidate was accepted"), {}, ())
    release, live = kept_candidate(platform, candidate), live_release(platform.releases, agent.name, PRODUCTION)
    made = {part: platform.lake.latest(f"{agent.name}/{part}") for part in JUDGED_BY}
    verdict, rows = _judged(agent, platform, release, live, made)
    inputs = {one.address: one.digest for one in (candidate, *made.values()) if one}
    facts = {"run": run_id, "commit": platform.project.commit(), "inputs": inputs}
    return keep_verdict(platform, release, live, verdict, rows, inputs=inputs, facts=facts)


def _judged(
    agent: "Agent",
    platform: Platform,
    release: Release,
    live: Release | None,
    made: Mapping[str, Artefact | None],
) -> tuple[Verdict, list[dict[str, Any]]]:
    if let_in := let_in_before(platform, release, live):
        return let_in, []
    kept = [judgement for part, one in made.items() if one for judgement in _judgements(agent, part, one, live)]
    judgements = [*kept, *_by_its_tasks(agent, platform, release, live, made["evaluation"])]
    names = list(dict.fromkeys((*JUDGED_BY, *(one.name for one in judgements))))
    return decide(release.digest, required=names, judgements=judgements), [_row(one) for one in judgements]


def _judgements(agent: "Agent", part: str, made: Artefact, live: Release | None) -> list[Judgement]:
    """What an asset said, and found, of the release that it looked at, beside what is live now.

    What is only to be reported keeps nothing shut; that it could not be told does.
    """
    release, blocks = str(made.facts.get("release", "")), _BLOCKS[part](agent)
    if made.facts.get("baseline", live and live.digest) != (live and live.digest):
        why = f"it was held beside another release than is live by now: materialize {agent.name}/{part} again"
        return [Judgement(part, release, NotEvaluated(why))]
    found = {
        name: one if blocks or isinstance(one, NotEvaluated) else Passed(one.evidence)
        for name, one in made.findings.items()
    }
    return [Judgement(name, release, verdict) for name, verdict in {part: made.verdict, **found}.items()]


def _by_its_tasks(
    agent: "Agent", platform: Platform, release: Release, live: Release | None, evaluation: Artefact | None
) -> Sequence[Judgement]:
    """What its runs say: of itself, and beside the runs of what is live."""
    if evaluation is None:
        return ()
    found = judge_evaluation(agent, platform, release, live, evaluation)
    return [Judgement(name, release.digest, verdict) for name, verdict in found.items()]


def _row(judgement: Judgement) -> dict[str, Any]:
    found = judgement.verdict
    said = found.evidence.get("found", name_of(found))
    return {"asked": judgement.name, "found": said, "why": "; ".join(reasons_of(found))}
