"""LightGBM's binary classifiers and its regressors as canonical bytes: the booster's own text, without how it was fitted.

The text ends with every setting of the fit, threads and seeds included, so that two equal models would differ. Of these
settings one line is kept, which columns are categorical: prediction needs it, and LightGBM reads it back.

Text columns are fitted as pandas categories, with `categorical_feature` left alone: LightGBM then stores the levels of
each. To get the same model twice, a team's function sets `deterministic=True`, `force_row_wise=True`, `num_threads` and
`seed`.
"""

import json
from typing import TYPE_CHECKING, Any, ClassVar

from ops_pipelines.core.errors import ArtefactError, TrainingError
from ops_pipelines.mlops.column_codes import coded, column_codes, level_codes
from ops_pipelines.mlops.serving import Columns, Scorer

if TYPE_CHECKING:
    import lightgbm as lgb
    import numpy as np
    import pandas as pd

_SETTINGS, _SETTINGS_END = "\nparameters:\n", "\nend of parameters\n"
_CATEGORICAL, _LEVELS = "[categorical_feature: ", "\npandas_categorical:"
_PROBABILITIES = ("binary", "cross_entropy")
_VALUES = ("regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie")


class LightGBMFlavour:
    """Boosters, LGBMClassifier of two classes and LGBMRegressor, stored as LightGBM's text and never as a pickle."""

    is_canonical: ClassVar[bool] = True

    def dump(self, model: Any) -> bytes:
        """The model's text with one setting left; TrainingError for what gives neither a probability nor a value.

        An LGBMClassifier and an LGBMRegressor are stored as their booster. TrainingError also where the levels of a
        category cannot be told, because `categorical_feature` was given beside pandas categories.
        """
        booster = _booster(model)
        text: str = booster.model_to_string()
        _check_objective(text)
        _levels(booster, text)
        trees, _, rest = text.partition(_SETTINGS)
        levels = rest.rpartition(_LEVELS)[2]
        return f"{trees}{_SETTINGS}{_categorical_line(rest)}\n{_SETTINGS_END}{_LEVELS}{levels}".encode()

    def load(self, content: bytes) -> "lgb.Booster":
        """The booster of some bytes; ArtefactError where they are cut off or are no LightGBM text."""
        import lightgbm as lgb

        try:
            text = content.decode()
            _check_whole(text)
            return lgb.Booster(model_str=text)
        except (ValueError, lgb.basic.LightGBMError) as error:
            raise ArtefactError(
                f"{len(content)} bytes are no whole LightGBM model: {error}",
                expected="the text that LightGBMFlavour.dump made",
                action="Restore the object from a backup, or train the release again",
            ) from error

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """The probability of the positive class, or the value, for each row, in whatever order the columns are.

        The value is in the units of the labels, also where the objective (Poisson, gamma, Tweedie) fits its logarithm. A
        level that the model never saw counts as missing. SchemaMismatch for a column that is missing, and for one
        that is neither numbers nor one of the model's categories.
        """
        import numpy as np

        booster = _booster(model)
        # One tree's text holds the header, and costs less than the whole model's.
        levels = _levels(booster, booster.model_to_string(num_iteration=1))
        columns = [column_codes(features, name, levels.get(name)) for name in self.features(model)]
        if not len(features):
            return np.empty(0)
        # Two threads gained nothing on 200,000 rows, and on a busy machine they wait for each other many times as long.
        return np.asarray(booster.predict(np.column_stack(columns), num_threads=1))

    def scorer(self, model: Any) -> Scorer:
        """What `predict` gives, for columns of plain values: a request of one row need not become a DataFrame."""
        import numpy as np

        booster = _booster(model)
        levels = _levels(booster, booster.model_to_string(num_iteration=1))
        codes = [(name, level_codes(levels[name]) if name in levels else None) for name in self.features(model)]

        def score(columns: Columns) -> list[float]:
            filled = [columns[name] if known is None else coded(columns[name], known) for name, known in codes]
            # numpy makes NaN of None where it is told that all are floats.
            rows = np.array(filled, dtype=float).T
            scores: list[float] = booster.predict(rows, num_threads=1).tolist() if len(rows) else []
            return scores

        return score

    def features(self, model: Any) -> tuple[str, ...]:
        """The columns that the model was fitted on, in its order."""
        return tuple(_booster(model).feature_name())


def _booster(model: Any) -> "lgb.Booster":
    import lightgbm as lgb

    if isinstance(model, lgb.Booster):
        return model
    if isinstance(model, lgb.LGBMClassifier | lgb.LGBMRegressor) and hasattr(model, "fitted_"):
        return model.booster_
    raise TrainingError(
        f"A {type(model).__name__} is not a model of the flavour 'lightgbm'",
        expected="a lightgbm.Booster, or an LGBMClassifier or LGBMRegressor after its fit",
        action="Return the fitted model from the training function, or name its flavour in the pipeline",
    )


def _check_objective(text: str) -> None:
    objective = text.partition("\nobjective=")[2].partition("\n")[0]
    if objective.split(" ")[0] not in _PROBABILITIES + _VALUES:
        raise TrainingError(
            f"A LightGBM model with the objective {objective or 'of its own'!r} gives no probability and no value",
            expected=f"one of {', '.join(_PROBABILITIES)} for a probability, or of {', '.join(_VALUES)} for a value",
            action="Set objective='binary' or objective='regression' where the model is fitted",
            objective=objective,
        )


def _check_whole(text: str) -> None:
    """Raises ValueError for a text that is cut off, before LightGBM reads past its end."""
    header, found, trees = text.partition("\n\nTree=0\n")
    end = trees.find("\nend of trees\n")
    levels = text.rpartition(_LEVELS)[2]
    if not header.startswith("tree\n") or not found or end < 0 or not levels.endswith("\n"):
        raise ValueError("its beginning or its end is missing")
    json.loads(levels)
    sizes = header.partition("\ntree_sizes=")[2].split("\n")[0].split()
    # LightGBM counts bytes, from the T of the first tree to the e of "end of trees".
    if sum(map(int, sizes)) != len(f"Tree=0\n{trees[: end + 1]}".encode()):
        raise ValueError("its trees are not as long as its header says")


def _levels(booster: "lgb.Booster", text: str) -> dict[str, list[Any]]:
    """The levels of each categorical column, in the order of their codes."""
    stored: list[list[Any]] = booster.pandas_categorical or []
    if not stored:
        return {}
    indices = _categorical_line(text).removeprefix(_CATEGORICAL).removesuffix("]").split(",")
    names = [booster.feature_name()[int(index)] for index in indices if index]
    if len(names) != len(stored):
        raise TrainingError(
            f"The LightGBM model has the levels of {len(stored)} categories and {len(names)} categorical columns",
            expected="as many levels as categorical columns",
            action="Make each categorical column an unordered pandas category, and leave categorical_feature alone",
            categorical=names,
        )
    return dict(zip(names, stored, strict=True))


def _categorical_line(text: str) -> str:
    start = text.index(_CATEGORICAL)
    return text[start : text.index("]", start) + 1]
