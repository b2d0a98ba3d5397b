"""Flavours by name: our own, any of MLflow's as `mlflow/catboost`, or a team's own as `module:Class`.

Each is imported when it is asked for.
"""

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.mlops.checkpoint import Flavour
from ops_pipelines.mlops.training import import_function

FLAVOURS = {
    "lightgbm": "ops_pipelines.adapters.lightgbm_flavour:LightGBMFlavour",
    "sklearn": "ops_pipelines.adapters.sklearn_flavour:SklearnFlavour",
    "xgboost": "ops_pipelines.adapters.xgboost_flavour:XGBoostFlavour",
}
"""Where each flavour that comes with this package is."""

_MLFLOW = "mlflow/"
_METHODS = ("dump", "load", "predict", "features")


def path_of(name: str) -> str:
    """Where the class of a flavour is, as `module:Class`; ConfigError for an unknown name."""
    if name.startswith(_MLFLOW):
        return "ops_pipelines.adapters.mlflow_flavour:MlflowFlavour"
    if ":" not in name and name not in FLAVOURS:
        raise ConfigError(
            f"No flavour is named {name!r}",
            expected=f"one of {', '.join(sorted(FLAVOURS))}, mlflow/ and a flavour of MLflow, or module:Class for your own",
            action=near_miss(name, FLAVOURS),
            flavour=name,
        )
    return FLAVOURS.get(name, name)


def flavour_named(name: str) -> Flavour:
    """The flavour of a name, or the one that `module:Class` makes when called without arguments.

    Raises ConfigError for an unknown name, a class that cannot be imported, and one that lacks a method of Flavour.
    """
    make = import_function(path_of(name), what="flavour")
    flavour: Flavour = make(name.removeprefix(_MLFLOW)) if name.startswith(_MLFLOW) else make()
    missing = [method for method in _METHODS if not callable(getattr(flavour, method, None))]
    if missing:
        raise ConfigError(
            f"The flavour {name!r} has no {', '.join(missing)}",
            expected=f"a class with the methods {', '.join(_METHODS)}",
            action="See ops_pipelines.mlops.checkpoint.Flavour, and run FlavourConformance on it",
            flavour=name,
        )
    return flavour
