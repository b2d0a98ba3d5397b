"""An evaluation as people name it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.evals.log import Evaluation

LAST = "last"
"""What names the latest evaluation."""
Id = Annotated[str, typer.Argument(help="The first digits of an evaluation's id, a system for its latest, or `last`.")]


def evaluation_named(platform: "Platform", id: str) -> "Evaluation":
    """The evaluation of an id, or the latest of a system; ConfigError where there is none."""
    from ops_pipelines.core.errors import ConfigError

    if id == LAST:
        found = next(platform.evals.evaluations(most=1), None)
    else:
        found = platform.evals.find(id) or next(platform.evals.evaluations(system=id, most=1), None)
    if found is None:
        raise ConfigError(
            "No evaluation was made yet" if id == LAST else f"There is no evaluation {id!r}",
            expected="the first digits of an id, or a system that was evaluated",
            action="`ops eval list` shows those that are kept",
            evaluation=id,
        )
    return found
