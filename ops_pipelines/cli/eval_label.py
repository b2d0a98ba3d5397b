"""`ops eval label out|in`: answers go to people, and their labels come back."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.evaluations import LAST, Id, evaluation_named
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.evals.label import Label
    from ops_pipelines.llmops.evals.log import Evaluation

label = typer.Typer(
    help="out or in: answers for people to label, and their labels.", no_args_is_help=True, suggest_commands=False
)


@label.command("out")
def labels_out(
    id: Id = LAST,
    to: Annotated[Path | None, typer.Option(help="The file to write; printed without it.")] = None,
    sample: Annotated[
        int | None, typer.Option(help="How many answers, drawn by chance; all without it.", min=1)
    ] = None,
    aspect: Annotated[str, typer.Option(help="What people are asked of each answer.")] = "correct",
    as_json: AsJson = False,
) -> None:
    """Write the answers of an evaluation as lines of JSON, each with a `label` to be filled in from 0 to 1.

    The order is drawn by chance and stays, so that its beginning is a fair sample. No score is shown to whoever labels.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.evals.label import sheet

    found = evaluation_named(Platform.embedded(), id)
    text = sheet(found.id, found.run, most=sample, aspect=aspect)
    if to is None and not as_json:
        sys.stdout.write(text)
        return
    if to is not None:
        to.write_text(text, encoding="utf-8")
    told = {"evaluation": found.id, "answers": text.count("\n"), "file": str(to) if to else ""}
    show([told if to else {**told, "lines": text.splitlines()}], title="labels", as_json=as_json)


@label.command("in")
def labels_in(
    file: Annotated[Path, typer.Argument(help="The sheet that came back; `-` reads standard input.")],
    by: Annotated[str, typer.Option(help="Who labelled, where a line names nobody; you without it.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep the labels of a sheet; one mistake in it, and nothing is kept.

    A label of another text than was answered is kept and said to be stale. What was kept before is not kept twice.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.evals.label import read_labels

    platform = Platform.embedded()
    read = read_labels(_text_of(file), at=platform.clock.wall(), by=by or _whoever(platform))
    before = {_said(one) for one in platform.evals.labels([one.case for one in read])}
    new = [one for one in read if _said(one) not in before]
    if new and not dry_run:
        platform.evals.keep_labels(new)
    evaluations = dict.fromkeys(one.evaluation for one in read)
    rows = [_kept(platform, evaluation, read, new, dry_run) for evaluation in evaluations]
    show(rows, title="labels", as_json=as_json)


def _whoever(platform: "Platform") -> str:
    """The principal of the token in OPS_TOKEN, else the person at the command line."""
    who = platform.access.who()
    return who.name if who else actor()


def _kept(platform: "Platform", id: str, read: list["Label"], new: list["Label"], dry_run: bool) -> dict[str, Any]:
    """What became of the labels of one evaluation."""
    from ops_pipelines.llmops.evals.label import stale

    found = platform.evals.find(id)
    here = [one for one in read if one.evaluation == id]
    fresh = [one for one in new if one.evaluation == id]
    told = list(stale(here, found.run)) if found else [f"no evaluation {id[:12]} is kept here"]
    is_there = found is not None and "mlflow_run" in found.facts
    mirrored = _mirrored(platform, found, fresh) if found and is_there and fresh and not dry_run else ""
    return {
        "evaluation": id[:12],
        "labels": len(here),
        "new": len(fresh),
        "stale": "; ".join(told),
        "mirror": mirrored,
    }


def _mirrored(platform: "Platform", found: "Evaluation", labels: list["Label"]) -> str:
    """What MLflow's mirror says: it holds no truth, and what goes wrong there is told and no error."""
    from ops_pipelines.adapters.mlflow_evaluations import MLflowEvaluations
    from ops_pipelines.core.errors import OpsError

    try:
        return f"{MLflowEvaluations(platform.registry).record_labels(found, labels)} in MLflow"
    except OpsError as error:
        return str(error)


def _said(one: "Label") -> tuple[Any, ...]:
    return one.evaluation, one.case, one.repeat, one.answer, one.aspect, one.by, one.value, one.note


def _text_of(file: Path) -> str:
    from ops_pipelines.core.errors import ConfigError

    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} cannot be read: {error}",
            expected="the lines of `ops eval label out` in UTF-8, with labels",
            action="Check the path",
        ) from error
