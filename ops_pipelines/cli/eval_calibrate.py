"""`ops eval calibrate`: how far a judge can be trusted, by what people said of some of its answers."""

from typing import Annotated

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.evaluations import LAST, Id, evaluation_named
from ops_pipelines.cli.output import AsJson, show


def calibrate(
    id: Id = LAST,
    score: Annotated[str, typer.Option(help="The judge's score.")] = "judge",
    aspect: Annotated[str, typer.Option(help="What people were asked.")] = "correct",
    as_json: AsJson = False,
) -> None:
    """A judge's mean over all cases, corrected by people's labels of some, with its interval and how often they agree.

    Exit 1 where the judge agrees too seldom, 3 where there are too few labels to tell.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.verdict import Blocked, Passed, name_of, reasons_of
    from ops_pipelines.llmops.evals import calibration
    from ops_pipelines.llmops.evals.label import labels_by_case

    platform = Platform.embedded()
    run = evaluation_named(platform, id).run
    labels = labels_by_case(run, platform.evals.labels([one.case for one in run.scored]), aspect)
    found = calibration.calibrate(run.means(score), labels, run.clusters())
    verdict = calibration.judge_calibration(found, calibration.CalibrationRule())
    told = {"score": score, **found.to_json(), "verdict": name_of(verdict), "reasons": list(reasons_of(verdict))}
    show([told if as_json else {name: value for name, value in told.items() if value is not None}], as_json=as_json)
    if not isinstance(verdict, Passed):
        raise typer.Exit(REFUSED if isinstance(verdict, Blocked) else COULD_NOT_TELL)
