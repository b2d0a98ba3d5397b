"""Fitting: the rows of a training set split by time, searched where that is asked for, and fitted twice."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.core.verdict import Verdict
from ops_pipelines.mlops.checkpoint import Flavour, check_features, judge_repeatability
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.search import Found, search_params
from ops_pipelines.mlops.training import ASKED_AT, KNOWN_AT, LABEL, Rows, Split, fit, import_function, split_by_time

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ops_pipelines.components.model import Model


class CheckpointConfig(dg.Config):
    """An experiment: another training function, or parameters that replace some of the declared ones."""

    train: str | None = None
    params: dict[str, Any] = {}  # noqa: RUF012 - Dagster reads the class's own default


@dataclass(frozen=True, slots=True)
class Material:
    """The rows to fit and to judge on, the digest of the training set, and that of the features it was joined with."""

    split: Split
    dataset: str
    features: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model with its canonical bytes, how it was made, what was searched, and whether a second fit gave the same bytes."""

    model: Any
    content: bytes
    recipe: dict[str, Any]
    repeatable: Verdict
    search: Found

    @property
    def flavour(self) -> Flavour:
        """What scores with it."""
        return flavour_named(self.recipe["flavour"])

    def score(self, features: "pd.DataFrame") -> "np.ndarray":
        """One score a row."""
        return self.flavour.predict(self.model, features)

    def again(self, rows: Rows, features: "pd.DataFrame") -> "np.ndarray":
        """The scores of some features by a model that was fitted the same way on other rows."""
        return _fit_and_score(self.recipe, self.recipe["params"], rows, features)


def read_material(model: "Model", platform: Platform, week: str) -> Material:
    """The training set of a week, split, with the feature definitions that it was joined with and no later ones."""
    key = f"{model.name}/training_set"
    made = platform.lake.accepted(key, week)
    features = made.inputs[f"{model.features}/definitions@-"]
    service = FeatureService.from_json(json.loads(platform.objects.get(features)))
    renamed = {model.entities.asked_at: ASKED_AT, model.labels.column: LABEL, model.labels.known_at: KNOWN_AT}
    cut_off = window_of(model.weeks(), week).end
    split = split_by_time(
        platform.lake.read(key, week).to_pandas().rename(columns=renamed),
        task=model.asked(),
        features=service.features,
        slices=tuple(model.slices),
        holdout_from=cut_off - timedelta(weeks=model.holdout_weeks),
        cut_off=cut_off,
        weighting=model.weights.weighting(),
    )
    return Material(split, made.digest, features)


def fit_model(model: "Model", config: CheckpointConfig, split: Split) -> Fitted:
    """The best candidate of the search, or the declared parameters, fitted on all training rows."""
    recipe: dict[str, Any] = {
        "train": config.train or model.train,
        "seed": model.seed,
        "flavour": model.flavour,
        "holdout_weeks": model.holdout_weeks,
        "task": model.task,
        "weights": asdict(model.weights.weighting()),
    }
    began = time.process_time()
    found = search_params(
        model.asked(),
        split.train,
        {**model.params, **config.params},
        model.search.rule(),
        lambda params, rows, features: _fit_and_score(recipe, params, rows, features),
        seed=model.seed,
        spent=lambda: time.process_time() - began,
    )
    recipe["params"] = dict(found.params)
    flavour = flavour_named(model.flavour)
    train = import_function(recipe["train"], what="training function")
    # Twice, each time on rows of its own: the second fit is what repeatability is judged by.
    first, second = (fit(train, split.train.copy(), recipe["params"], model.seed) for _ in range(2))
    content = flavour.dump(first)
    check_features(flavour.features(first), list(split.train.features.columns), system=model.name)
    return Fitted(first, content, recipe, _repeatable(flavour, content, second), found)


def _repeatable(flavour: Flavour, content: bytes, second: Any) -> Verdict:
    return judge_repeatability(content, flavour.dump(second), canonical=getattr(flavour, "is_canonical", True))


def _fit_and_score(
    recipe: Mapping[str, Any], params: Mapping[str, Any], rows: Rows, features: "pd.DataFrame"
) -> "np.ndarray":
    train = import_function(recipe["train"], what="training function")
    return flavour_named(recipe["flavour"]).predict(fit(train, rows.copy(), params, recipe["seed"]), features)
