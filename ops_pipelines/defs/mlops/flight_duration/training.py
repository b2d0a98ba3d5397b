"""How flight_duration is fitted: the median of the minutes in the air, by scikit-learn's gradient-boosted trees."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops_pipelines.mlops.training import Rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def train(rows: Rows, params: Mapping[str, Any], seed: int) -> "Pipeline":
    """A pipeline that numbers text features by category and boosts trees on the absolute error."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    from threadpoolctl import threadpool_limits

    text = list(rows.features.select_dtypes(exclude="number").columns)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = make_column_transformer((encoder, text), remainder="passthrough", verbose_feature_names_out=False)
    trees = HistGradientBoostingRegressor(loss="absolute_error", early_stopping=False, random_state=seed, **params)
    with threadpool_limits(1):  # sums of several threads differ in their last digits
        return make_pipeline(columns, trees).fit(
            rows.features, rows.labels, histgradientboostingregressor__sample_weight=rows.weights
        )
