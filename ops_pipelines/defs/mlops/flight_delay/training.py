"""How flight_delay is fitted: gradient-boosted trees on the features of one feature service."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops_pipelines.mlops.training import Rows

if TYPE_CHECKING:
    from lightgbm import Booster

REPEATABLE = {"objective": "binary", "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1}
"""With these, the same rows in the same order give the same trees. One thread: two are slower on a busy machine."""


def train(rows: Rows, params: Mapping[str, Any], seed: int) -> "Booster":
    """A booster of `params["rounds"]` trees; text features become categories."""
    import lightgbm

    settings = {**REPEATABLE, "seed": seed, **{name: value for name, value in params.items() if name != "rounds"}}
    text = rows.features.select_dtypes(exclude="number").columns
    features = rows.features.astype(dict.fromkeys(text, "category"))
    return lightgbm.train(settings, lightgbm.Dataset(features, rows.labels), num_boost_round=params["rounds"])
