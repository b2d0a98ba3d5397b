"""An evaluation as people name it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.evals.log import Evaluation

LAST = "last"
"""What names the latest evaluation."""
Id = Annotated[str, typer.Argument(help="The evaluation: the first digits of its id, or `last`.")]


def evaluation_named(platform: "Platform", id: str) -> "Evaluation":
    """The evaluation of an id; ConfigError where there is none."""
    from ops_pipelines.core.errors import ConfigError

    found = next(platform.evals.evaluations(most=1), None) if id == LAST else platform.evals.find(id)
    if found is None:
        raise ConfigError(
            "No evaluation was made yet" if id == LAST else f"There is no evaluation {id!r}",
            expected="the first digits of an id",
            action="`ops eval list` shows those that are kept",
            evaluation=id,
        )
    return found
