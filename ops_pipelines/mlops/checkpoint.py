"""A fitted model as an immutable thing: canonical bytes, what they were made from, and a card that people read.

The stored artefact **is** the canonical form, so that verifying its sha256 before a load verifies the model, and no
loader ever sees bytes that nobody vouched for. Pickle is not a form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from ops_pipelines.core.errors import TrainingError, near_miss
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, name_of, reasons_of
from ops_pipelines.mlops.importance import Importance

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_SHOWN = 5


class Flavour(Protocol):
    """How one library's models become bytes, come back, and score.

    `ops_pipelines.testing.flavours` holds the conformance suite: a model that comes back scores the same to the bit, and
    two fits of the same rows, parameters and seed give the same bytes.

    Where a library's bytes may differ between two equal fits, its flavour says `is_canonical = False`: repeatability is
    then not evaluated. Without that attribute a flavour is taken to be canonical.
    """

    def dump(self, model: Any) -> bytes:
        """The model's canonical bytes; TrainingError for an object that is not a model of this library."""

    def load(self, content: bytes) -> Any:
        """The model of bytes that `dump` made, and whose digest the caller has verified."""

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """One float a row: of a classifier the probability of the positive class, of a regressor the value.

        The fitted model knows which. A value is in the units of the labels. SchemaMismatch for a missing column.
        """

    def features(self, model: Any) -> tuple[str, ...]:
        """The columns that the model was fitted on, in its order."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a person should know of a checkpoint before trusting it."""

    system: str
    cut_off: datetime
    model: str
    features: tuple[str, ...]
    params: Mapping[str, Any]
    seed: int
    train_rows: int
    holdout_rows: int
    metrics: Mapping[str, float | None]
    verdict: Verdict
    repeatable: Verdict | None = None
    importance: Sequence[Importance] = ()
    tried: int = 0

    def to_markdown(self) -> str:
        """The model card as Markdown, under a thousand characters where the gate has few reasons.

        Features come in the order of their importance, the first ones with the loss that their shuffling adds.
        """
        shown = [f"| {name} | {value:.4f} |" for name, value in self.metrics.items() if value is not None]
        reasons = [f"- {reason}" for reason in reasons_of(self.verdict)]
        if isinstance(self.repeatable, NotEvaluated):
            reasons.append(f"- repeatability {name_of(self.repeatable)}: {self.repeatable.why}")
        return "\n".join(
            [
                f"# {self.system}, knowing nothing after {self.cut_off:%Y-%m-%d %H:%M} UTC",
                f"Model `{short(self.model)}`, fitted on {self.train_rows:,} rows with seed {self.seed}, judged on "
                f"{self.holdout_rows:,} later rows that it never saw. Gate: **{name_of(self.verdict)}**.",
                *reasons,
                "",
                "| holdout | value |",
                "|---|---|",
                *shown,
                "",
                f"{self._leant_on()}.",
                f"Parameters: {', '.join(f'{name}={value}' for name, value in self.params.items())}{self._searched()}.",
            ]
        )

    def _leant_on(self) -> str:
        if not self.importance:
            return f"Features: {', '.join(self.features)}"
        first = [f"{each.feature} {each.loss_added:+.3g}" for each in self.importance[:_SHOWN]]
        rest = [each.feature for each in self.importance[_SHOWN:]]
        return f"Features by what their shuffling costs: {', '.join([*first, *rest])}"

    def _searched(self) -> str:
        return f", the best of {self.tried} candidates" if self.tried else ""


def judge_repeatability(first: bytes, second: bytes, *, canonical: bool = True) -> Verdict:
    """Passed where two fits of the same inputs gave the same canonical bytes.

    NotEvaluated for bytes that are not canonical: two saves of one model may differ, so differing says nothing.
    """
    if first == second:
        return Passed()
    if not canonical:
        return NotEvaluated("its flavour has no canonical form, so two fits cannot be compared")
    return Blocked(("two fits of the same rows, parameters and seed gave different models",))


def check_features(wanted: Sequence[str], offered: Sequence[str], *, system: str) -> None:
    """Raises TrainingError where a model was fitted on a column that its feature service does not offer."""
    for name in wanted:
        if name not in offered:
            raise TrainingError(
                f"The model of {system!r} was fitted on {name!r}, which its feature service does not offer",
                expected=f"some of {', '.join(offered)}",
                action=f"{near_miss(name, offered)} A column made inside the training function cannot be served",
                feature=name,
            )
