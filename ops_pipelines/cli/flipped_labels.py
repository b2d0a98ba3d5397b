"""What a broken upstream job would teach: the same model on inverted labels. The demo offers it to the gate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops_pipelines.defs.mlops.flight_delay import training
from ops_pipelines.mlops.training import Rows

if TYPE_CHECKING:
    from lightgbm import Booster


def train(rows: Rows, params: Mapping[str, Any], seed: int) -> "Booster":
    """The booster of `training.train`, fitted on labels that say the opposite."""
    return training.train(Rows(rows.features, 1 - rows.labels, rows.asked_at), params, seed)
