"""Flavours by name: `lightgbm`, or a team's own as `module:Class`. Each is imported when it is asked for."""

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.mlops.checkpoint import Flavour
from ops_pipelines.mlops.training import import_function

FLAVOURS = {
    "lightgbm": "ops_pipelines.adapters.lightgbm_flavour:LightGBMFlavour",
    "xgboost": "ops_pipelines.adapters.xgboost_flavour:XGBoostFlavour",
    "sklearn": "ops_pipelines.adapters.sklearn_flavour:SklearnFlavour",
}
"""Where each flavour that comes with this package is."""

_METHODS = ("dump", "load", "predict", "features")


def flavour_named(name: str) -> Flavour:
    """The flavour of a name, or the one that `module:Class` makes when called without arguments.

    Raises ConfigError for an unknown name, a class that cannot be imported, and one that lacks a method of Flavour.
    """
    if ":" not in name and name not in FLAVOURS:
        raise ConfigError(
            f"No flavour is named {name!r}",
            expected=f"one of {', '.join(sorted(FLAVOURS))}, or module:Class for one of your own",
            action=near_miss(name, FLAVOURS),
            flavour=name,
        )
    flavour: Flavour = import_function(FLAVOURS.get(name, name), what="flavour")()
    missing = [method for method in _METHODS if not callable(getattr(flavour, method, None))]
    if missing:
        raise ConfigError(
            f"The flavour {name!r} has no {', '.join(missing)}",
            expected=f"a class with the methods {', '.join(_METHODS)}",
            action="See ops_pipelines.mlops.checkpoint.Flavour, and run FlavourConformance on it",
            flavour=name,
        )
    return flavour
