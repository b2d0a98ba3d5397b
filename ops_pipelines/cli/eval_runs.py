"""`ops eval run|compare|attribute`: the golden set asked of a release, of two beside each other, and of all between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.eval_progress import progress as progress_of
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.components.answers_settings import Answers
    from ops_pipelines.core.verdict import Verdict
    from ops_pipelines.llmops.evals.golden_set import GoldenSet
    from ops_pipelines.llmops.evals.result import EvalRun
    from ops_pipelines.llmops.recipe import Recipe

System = Annotated[str, typer.Argument(help="The system, for instance runbook_answers.")]
Old = Annotated[str, typer.Argument(help="First digits of the earlier release.")]
New = Annotated[str, typer.Argument(help="First digits of the later release.")]
ScoreName = Annotated[str, typer.Option("--score", help="The score that is compared.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an evaluation by hand needs to know of a system."""

    platform: "Platform"
    system: str
    settings: "Answers"
    golden: "GoldenSet"

    def run(self, recipe: "Recipe", *, again: bool = False) -> "EvalRun":
        """The golden set asked of a recipe; `again` asks everything anew, whatever was answered before."""
        from ops_pipelines.components.answers_asking import evaluate_recipe
        from ops_pipelines.llmops.evals.cache import AskAnew

        cache = AskAnew() if again else self.platform.evals
        with progress_of(f"{self.system}, {len(self.golden.cases)} cases") as progress:
            return evaluate_recipe(
                self.settings, self.platform, self.system, recipe, self.golden.cases, cache=cache, progress=progress
            )

    def recipe(self, digest: str) -> "Recipe":
        """That of the release that begins so."""
        from ops_pipelines.adapters.answerers import recipe_of
        from ops_pipelines.core.release import find_release

        return recipe_of(self.platform, find_release(self.platform.releases, self.system, digest))


def run(
    system: System,
    release: Annotated[str | None, typer.Option(help="First digits of a release; what is live without.")] = None,
    again: Annotated[bool, typer.Option(help="Ask everything anew, whatever was answered before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a release its golden set, and keep the run. Exit 1 where a bound of the gate is not reached, 3 for gaps."""
    from ops_pipelines.components.answers_asking import evaluate_golden
    from ops_pipelines.core.release import find_release
    from ops_pipelines.llmops.evals.summary import judge_run, summarise

    asked = _asked(system)
    wanted = find_release(asked.platform.releases, system, release or _live(asked.platform, system))
    with progress_of(f"{system}, {len(asked.golden.cases)} cases") as progress:
        kept = evaluate_golden(asked.settings, asked.platform, wanted, asked.golden, progress, again=again)
    found = kept.run
    verdict = judge_run(found, asked.settings.gate.bounds())
    rows = list(summarise(found).rows())
    whole = {"evaluation": kept.id, "release": wanted.digest, "asked": found.asked, "cached": found.cached}
    _tell({**whole, "scores": rows}, rows, verdict, as_json=as_json)


def compare(system: System, old: Old, new: New, score: ScoreName = "says", as_json: AsJson = False) -> None:
    """Two releases on the same cases, by clusters. Exit 1 where the later one is worse, 3 where nobody can tell."""
    from ops_pipelines.llmops.evals.compare import compare_runs, judge_comparison

    asked = _asked(system)
    before, after = (asked.run(asked.recipe(digest)) for digest in (old, new))
    rule = asked.settings.gate.rule()
    comparison = compare_runs(after.values(score), before.values(score), clusters=after.clusters(), rule=rule)
    verdict = judge_comparison(comparison, rule)
    rows = [{"score": score, "old": comparison.champion, "new": comparison.challenger, "interval": comparison.interval}]
    moves = [{"case": case, "moved": move} for case, move in comparison.moves]
    _tell({"score": score, **comparison.to_json()}, [*rows], verdict, as_json=as_json)
    if moves and not as_json:
        show(moves[:20], title="what moved, the worst first")


def attribute(
    system: System,
    old: Old,
    new: New,
    score: ScoreName = "says",
    again: Annotated[bool, typer.Option(help="Ask all anew, to tell what the provider did since.")] = False,
    as_json: AsJson = False,
) -> None:
    """What changed a score between two releases: prompt, corpus, model, parameters, each with its share.

    Every mixture of old and new is asked the golden set. Exit 1 where a source lowered the score, 3 where nobody can tell.
    """
    from ops_pipelines.core.verdict import NotEvaluated
    from ops_pipelines.llmops.attribution import attribute as divided
    from ops_pipelines.llmops.attribution import judge_attribution
    from ops_pipelines.llmops.attribution_cells import cells_of
    from ops_pipelines.llmops.mixture import changed_sources, mixed

    asked = _asked(system)
    first, second = asked.recipe(old), asked.recipe(new)
    cells = cells_of(changed_sources(first, second))
    runs = {cell: asked.run(mixed(first, second, cell), again=again) for cell in cells}
    recorded = _recorded(asked, first, score) if again else None
    clusters = next(iter(runs.values())).clusters()
    found = divided({cell: _means(run, score) for cell, run in runs.items()}, clusters, recorded=recorded)
    rows = [
        {
            "source": share.source,
            "moved": round(share.effect.difference, 4),
            "interval": share.effect.mean.interval(),
            "p": round(share.p_value, 4),
            "part": None if share.part is None else f"{share.part:.0%}",
            "cause": share.is_cause,
        }
        for share in found.shares
    ]
    verdict = judge_attribution(found)
    if again and recorded is None:
        verdict = NotEvaluated(
            "no scores of the old release on this golden set are on record: its provider cannot be told"
        )
    _tell({"score": score, **found.to_json()}, rows, verdict, as_json=as_json)


def _asked(system: str) -> Asked:
    from ops_pipelines.adapters.declared import declared_in
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.cli.dg_project import read_dg_project
    from ops_pipelines.components.answers_candidate import golden_of
    from ops_pipelines.components.answers_settings import Answers
    from ops_pipelines.core.errors import ConfigError

    platform = Platform.embedded()
    declared = declared_in(read_dg_project(platform.project.root).defs_folder).named("Prompt", system)
    if "answers" not in declared:
        raise ConfigError(
            f"The prompt {system!r} is no system that answers",
            expected="`answers` in its defs.yaml, with a corpus and a golden set",
            action="Add it; `ops new prompt` writes an example",
            prompt=system,
        )
    settings = Answers.resolve_from_dict(dict(declared["answers"]))
    return Asked(platform, system, settings, golden_of(system, settings, platform))


def _live(platform: "Platform", system: str) -> str:
    from ops_pipelines.core.errors import ReleaseError
    from ops_pipelines.core.pointer import PRODUCTION

    found = platform.live(PRODUCTION, system)
    if found is None:
        raise ReleaseError(
            f"Nothing of {system!r} is live",
            expected="a live release, or one that is named",
            action="Name one with --release",
            system=system,
        )
    return found


def _recorded(asked: Asked, recipe: "Recipe", score: str) -> Mapping[str, float | None] | None:
    """What a release scored when it was evaluated first; None where that is not on record."""
    release = recipe.manifest(asked.system).digest
    kept = [
        one
        for one in asked.platform.evals.evaluations(system=asked.system)
        if one.facts.get("release") == release and one.run.cases == asked.golden.digest
    ]
    return _means(kept[-1].run, score) if kept else None


def _means(run: "EvalRun", score: str) -> dict[str, float | None]:
    """The mean of a score by case; None where one of its repeats could not be told."""
    from ops_pipelines.llmops.paired import mean_of_repeats

    return {case: mean_of_repeats(values) for case, values in run.values(score).items()}


def _tell(record: Mapping[str, Any], rows: list[Any], verdict: "Verdict", *, as_json: bool) -> None:
    """Prints what was found with its verdict, and exits as the verdict says."""
    from ops_pipelines.core.verdict import Blocked, Passed, name_of, reasons_of

    if as_json:
        show([{**record, "verdict": name_of(verdict), "reasons": list(reasons_of(verdict))}], as_json=True)
    else:
        show([{name: round(one, 3) if isinstance(one, float) else one for name, one in row.items()} for row in rows])
        print(name_of(verdict) + "".join(f"\n  {reason}" for reason in reasons_of(verdict)))
    if not isinstance(verdict, Passed):
        raise typer.Exit(REFUSED if isinstance(verdict, Blocked) else COULD_NOT_TELL)
