"""A model as large as a test asks for, to see what goes on answering while it is read, verified and loaded.

Its bytes are the JSON of a LinearModel, a line's end, and a table of float64 which numpy reads whole and which changes no
score. Name the flavour `ops_pipelines.testing.heavy_flavour:HeavyFlavour`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ops_pipelines.core.errors import ArtefactError
from ops_pipelines.testing.flavours import LinearFlavour, LinearModel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_WIDTH = 8


@dataclass(frozen=True, slots=True, eq=False)
class HeavyModel:
    """What scores, and what weighs."""

    linear: LinearModel
    table: "np.ndarray"


class HeavyFlavour:
    """A HeavyModel's bytes, and its scores: those of its linear part."""

    is_canonical: ClassVar[bool] = True
    _linear: ClassVar[LinearFlavour] = LinearFlavour()

    def dump(self, model: HeavyModel) -> bytes:
        """The linear part as JSON, then the table."""
        return self._linear.dump(model.linear) + b"\n" + model.table.astype("<f8").tobytes()

    def load(self, content: bytes) -> HeavyModel:
        """The model of some bytes, every number of its table read; ArtefactError where they are not what `dump` made."""
        import numpy as np

        head = content.find(b"\n")
        if head < 0 or (len(content) - head - 1) % _WIDTH:
            raise ArtefactError(
                f"{len(content)} bytes are no whole HeavyModel",
                expected="the JSON and the table that HeavyFlavour.dump made",
                action="Publish the release again",
            )
        table = np.frombuffer(content, "<f8", offset=head + 1)
        if not np.isfinite(table.sum()):
            raise ArtefactError("The table of a HeavyModel is damaged", expected="numbers", action="Publish it again")
        return HeavyModel(self._linear.load(content[:head]), table)

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """The value of each row; SchemaMismatch for a column that is missing."""
        return self._linear.predict(model.linear, features)

    def features(self, model: Any) -> tuple[str, ...]:
        """The columns of the linear part."""
        return self._linear.features(model.linear)


def heavy_model(linear: LinearModel, *, megabytes: int) -> HeavyModel:
    """A model whose bytes are about this large."""
    import numpy as np

    return HeavyModel(linear, np.arange(megabytes * 1_000_000 // _WIDTH, dtype="<f8"))
