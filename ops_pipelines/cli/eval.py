"""`ops eval`: evaluations asked, compared, divided among causes, shown, and labelled by people."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.eval_calibrate import calibrate
from ops_pipelines.cli.eval_label import label
from ops_pipelines.cli.eval_runs import attribute, compare, run
from ops_pipelines.cli.evaluations import LAST, Id, evaluation_named
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.llmops.evals.log import Evaluation
    from ops_pipelines.llmops.evals.result import EvalRun
    from ops_pipelines.llmops.evals.summary import RunSummary

app = typer.Typer()
family = typer.Typer(
    help="run, compare, attribute, calibrate, list, show or label evaluations.",
    no_args_is_help=True,
    suggest_commands=False,
)
app.add_typer(family, name="eval")
family.add_typer(label, name="label")
for verb in (run, compare, attribute, calibrate):
    family.command(verb.__name__)(verb)


@app.callback()
def _family() -> None:
    pass


@family.command("list")
def list_evaluations(
    system: Annotated[str | None, typer.Option(help="Only of this system.")] = None,
    last: Annotated[int, typer.Option(help="How many, the latest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """One line an evaluation: when, of what, how many cases, what was asked and what failed."""
    from ops_pipelines.adapters.platform import Platform

    found = Platform.embedded().evals.evaluations(system=system, most=last)
    show([_line(one, as_json) for one in found], title="evaluations", as_json=as_json)


@family.command("show")
def show_evaluation(id: Id = LAST, as_json: AsJson = False) -> None:
    """One evaluation: each mean with its 95% interval, what could not be told, what failed and why, and people's labels."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.evals.label import labelled
    from ops_pipelines.llmops.evals.summary import summarise

    platform = Platform.embedded()
    found = evaluation_named(platform, id)
    summary = summarise(found.run)
    labels = labelled(found.run, platform.evals.labels([one.case for one in found.run.scored]))
    if as_json:
        show([_whole(found, summary, labels)], as_json=True)
        return
    for name, value in _line(found, as_json).items():
        print(f"{name}: {value}")
    print(f"labelled: {len(labels)}")
    print()
    show([_rounded(row) for row in _rows(found.run, summary)], title="scores")
    _print_failures(summary)


def _line(one: "Evaluation", as_json: bool) -> dict[str, Any]:
    run = one.run
    return {
        "id": one.id if as_json else one.id[:12],
        "at": f"{one.at:%Y-%m-%d %H:%M}",
        "system": one.system,
        "golden": one.golden,
        "answerer": run.answerer if as_json else run.answerer[:12],
        "cases": len({scored.case for scored in run.scored}),
        "asked": run.asked,
        "cached": run.cached,
        "errors": len(run.errors),
        "stopped": run.stopped,
    }


def _whole(found: "Evaluation", summary: "RunSummary", labels: dict[tuple[str, int], float]) -> dict[str, Any]:
    failures = [failure for one in summary.scores.values() for failure in one.failures]
    return {
        **_line(found, as_json=True),
        "facts": found.facts,
        "scores": _rows(found.run, summary),
        "by_kind": summary.by_kind,
        "errors": summary.errors,
        "failures": [{name: getattr(each, name) for name in each.__slots__} for each in failures],
        "labels": [{"case": case, "repeat": repeat, "label": value} for (case, repeat), value in labels.items()],
    }


def _rows(run: "EvalRun", summary: "RunSummary") -> list[dict[str, Any]]:
    """A row for each score; those of an agent have the exact intervals by which its gate judges them."""
    from ops_pipelines.agentops.evaluation.scores import SCORES
    from ops_pipelines.agentops.evaluation.summary import rate_of

    if not run.scorers or not set(run.scorers) <= set(SCORES):
        return list(summary.rows())
    return [{**rate_of(run, name).row(), "failures": len(summary.scores[name].failures)} for name in run.scorers]


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: f"{value:.3f}" if isinstance(value, float) else "" if value is None else value
        for name, value in row.items()
    }


def _print_failures(summary: "RunSummary") -> None:
    told = [f"{case}\terror\t{error}" for case, error in summary.errors.items()]
    told += [
        f"{each.case}\t{each.score} {each.value:.2f}\t{each.why}"
        for one in summary.scores.values()
        for each in one.failures
    ]
    if told:
        print("\nfailures:")
        print("\n".join(told))
