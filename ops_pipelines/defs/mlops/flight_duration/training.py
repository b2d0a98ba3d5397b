"""How flight_duration is fitted: the median of the minutes in the air, by scikit-learn's gradient-boosted trees."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops_pipelines.mlops.training import Rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MOST_LEVELS = 254
"""The trees tell 255 levels of a category apart; rarer ones share the last code."""


def train(rows: Rows, params: Mapping[str, Any], seed: int) -> "Pipeline":
    """A pipeline of text features as categories and boosted trees, which take missing values as they are."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    from threadpoolctl import threadpool_limits

    nan, text = float("nan"), rows.features.select_dtypes(exclude=["number", "bool"]).columns.tolist()
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=nan, encoded_missing_value=nan, max_categories=MOST_LEVELS
    )
    columns = make_column_transformer((codes, text), remainder="passthrough", verbose_feature_names_out=False)
    settings = {"loss": "absolute_error", "early_stopping": False, "random_state": seed, **params}
    trees = HistGradientBoostingRegressor(categorical_features=list(range(len(text))), **settings)
    with threadpool_limits(1):  # sums of several threads differ in their last digits
        return make_pipeline(columns, trees).fit(
            rows.features, rows.labels, histgradientboostingregressor__sample_weight=rows.weights
        )
