"""XGBoost's binary classifiers and its regressors as canonical bytes: the booster's own JSON.

XGBoost comes with `pip install ops-pipelines[xgboost]`. Text columns are fitted as pandas categories with
`enable_categorical=True`: XGBoost then stores the levels of each. Levels outside ASCII it cuts off, so they are refused.
"""

import json
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from ops_pipelines.core.errors import ArtefactError, ConfigError, TrainingError
from ops_pipelines.mlops.column_codes import column_codes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xgboost as xgb

_PROBABILITIES = ("binary:logistic", "reg:logistic")
_VALUES = (
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:gamma",
    "reg:tweedie",
    "count:poisson",
)


class XGBoostFlavour:
    """Boosters, XGBClassifier of two classes and XGBRegressor, stored as XGBoost's JSON and never as a pickle.

    ConfigError where XGBoost is not installed.
    """

    is_canonical: ClassVar[bool] = True

    def __init__(self) -> None:
        _xgboost()

    def dump(self, model: Any) -> bytes:
        """The model's JSON; TrainingError for what gives neither one probability nor one value, and without column names.

        An XGBClassifier and an XGBRegressor are stored as their booster, up to the best iteration where they stopped
        early. TrainingError also for a categorical column that was fitted as codes, and for one with levels outside ASCII.
        """
        booster = _booster(model)
        content = bytes(booster.save_raw("json"))
        _check_kind(json.loads(content)["learner"])
        _levels(booster)
        return content

    def load(self, content: bytes) -> "xgb.Booster":
        """The booster of some bytes; ArtefactError where they are cut off or are not what `dump` made."""
        xgboost = _xgboost()
        try:
            _check_kind(json.loads(content)["learner"])
            booster: xgb.Booster = xgboost.Booster()
            booster.load_model(bytearray(content))
            if bytes(booster.save_raw("json")) != content:
                raise ValueError("XGBoost would write them otherwise")
        except (ValueError, KeyError, TypeError, TrainingError, xgboost.core.XGBoostError) as error:
            raise ArtefactError(
                f"{len(content)} bytes are no whole XGBoost model: {error}",
                expected="the JSON that XGBoostFlavour.dump made",
                action="Restore the object from a backup, or train the release again",
            ) from error
        # Two threads wait for each other on a busy machine, and gain nothing on the rows of a week.
        booster.set_param({"nthread": 1})
        return booster

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """The probability of the positive class, or the value, for each row, in whatever order the columns are.

        A level that the model never saw counts as missing. SchemaMismatch for a column that is missing, and for one
        that is neither numbers nor one of the model's categories.
        """
        import numpy as np

        booster = _booster(model)
        levels = _levels(booster)
        names = self.features(booster)
        columns = [column_codes(features, name, levels.get(name)) for name in names]
        if not len(features):
            return np.empty(0)
        kinds = ["c" if name in levels else "float" for name in names]
        matrix = _xgboost().DMatrix(
            np.column_stack(columns), feature_names=list(names), feature_types=kinds, enable_categorical=True, nthread=1
        )
        return np.asarray(booster.predict(matrix, validate_features=False), dtype=float)

    def features(self, model: Any) -> tuple[str, ...]:
        """The columns that the model was fitted on, in its order."""
        return tuple(_booster(model).feature_names or ())


def _xgboost() -> ModuleType:
    try:
        import xgboost
    except ModuleNotFoundError as error:
        raise ConfigError(
            "The flavour 'xgboost' needs XGBoost, which is not installed",
            expected="the package xgboost or xgboost-cpu",
            action="Run: pip install ops-pipelines[xgboost]",
        ) from error
    module: ModuleType = xgboost
    return module


def _booster(model: Any) -> "xgb.Booster":
    """The model's booster, which knows its columns."""
    xgboost = _xgboost()
    booster = model if isinstance(model, xgboost.Booster) else None
    if isinstance(model, xgboost.XGBClassifier | xgboost.XGBRegressor) and model.__sklearn_is_fitted__():
        booster = model.get_booster()
        if booster.attr("best_iteration") is not None:
            booster = booster[: booster.best_iteration + 1]
    if booster is None or not booster.feature_names:
        raise TrainingError(
            f"A {type(model).__name__} is not a model of the flavour 'xgboost'",
            expected="an xgboost.Booster, or an XGBClassifier or XGBRegressor after its fit, fitted on a DataFrame",
            action="Return the fitted model from the training function, or name its flavour in the pipeline",
        )
    return booster


def _check_kind(learner: dict[str, Any]) -> None:
    objective, outputs = learner["objective"]["name"], int(learner["learner_model_param"]["num_target"])
    if objective not in _PROBABILITIES + _VALUES or outputs > 1:
        raise TrainingError(
            f"An XGBoost model with the objective {objective!r} and {outputs} outputs gives no probability and no value",
            expected=f"one of {', '.join(_PROBABILITIES)} for a probability, or of {', '.join(_VALUES)} for a value",
            action="Set objective='binary:logistic' or objective='reg:squarederror' where the model is fitted",
            objective=objective,
        )


def _levels(booster: "xgb.Booster") -> dict[str, list[Any]]:
    """The levels of each categorical column, in the order of their codes."""
    names = booster.feature_names or []
    coded = [name for name, kind in zip(names, booster.feature_types or [], strict=False) if kind == "c"]
    if not coded:
        return {}
    stored = dict(booster.get_categories(export_to_arrow=True).to_arrow())
    return {name: _known_levels(name, stored.get(name)) for name in coded}


def _known_levels(name: str, stored: Any) -> list[Any]:
    import pyarrow as pa

    if stored is None:
        raise _unclear(name, "fitted as codes, whose levels it does not know", "Make it a pandas category")
    # XGBoost 3.2 keeps as many bytes of a text as it has letters, so that two such levels may become one.
    if pa.types.is_string(stored.type) and not all(level.isascii() for level in stored.cast(pa.binary()).to_pylist()):
        raise _unclear(
            name, "with levels outside ASCII, which XGBoost cuts off", "Encode it in a Pipeline of scikit-learn"
        )
    levels: list[Any] = stored.to_pylist()
    return levels


def _unclear(name: str, how: str, action: str) -> TrainingError:
    return TrainingError(
        f"The XGBoost model has the categorical column {name!r} {how}",
        expected="categories of pandas that are numbers, or text in ASCII",
        action=action,
        column=name,
    )
