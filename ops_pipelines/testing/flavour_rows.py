"""Made-up rows with text that is sometimes missing, for the conformance of flavours that take categories."""

from typing import TYPE_CHECKING

from ops_pipelines.mlops.training import Rows
from ops_pipelines.testing.flavours import example_rows, example_values

if TYPE_CHECKING:
    import pandas as pd


def rows_with_text(odd: str = "Ünï, [x]") -> Rows:
    """The rows of `example_rows` with the texts `carrier` (a twentieth missing, one level an odd one) and `origin`."""
    import numpy as np
    import pandas as pd

    rows = example_rows()
    draw = np.random.default_rng(1)
    carriers = pd.Series(draw.choice(["AA", "UA", odd], len(rows)), dtype=object)
    labels = ((rows.labels == 1) ^ (carriers == "UA") & (draw.random(len(rows)) < 0.7)).astype(float)
    airports = pd.Series(draw.choice(["EWR", "JFK"], len(rows)), dtype=object)
    carriers[draw.random(len(rows)) < 0.05] = None
    features = rows.features.assign(carrier=carriers, origin=airports)
    return Rows(features[["carrier", "distance", "origin", "wind", "late"]], labels, rows.asked_at)


def values_with_text(odd: str = "Ünï, [x]") -> Rows:
    """The same features with the labels of `example_values`, and ten minutes more for one carrier."""
    features = rows_with_text(odd).features
    values = example_values()
    return Rows(features, values.labels + 10 * (features["carrier"] == "UA"), values.asked_at)


def as_categories(features: "pd.DataFrame") -> "pd.DataFrame":
    """The features with text as pandas categories, as gradient-boosted trees take it."""
    text = features.select_dtypes(include="object").columns
    return features.astype(dict.fromkeys(text, "category"))
