import json

import numpy as np
import pytest

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.core.errors import ArtefactError, SchemaMismatch, TrainingError
from ops_pipelines.testing.flavour_rows import as_categories, rows_with_text, values_with_text
from ops_pipelines.testing.flavours import FlavourConformance, example_rows, example_values

xgb = pytest.importorskip("xgboost")
FLAVOUR = flavour_named("xgboost")


def fit_booster(rows, params, seed, objective="binary:logistic"):
    matrix = xgb.DMatrix(as_categories(rows.features), rows.labels, enable_categorical=True)
    settings = {"objective": objective, "max_depth": 3, "seed": seed, "nthread": 1, **params}
    return xgb.train(settings, matrix, 10)


def fit_value_booster(rows, params, seed):
    return fit_booster(rows, params, seed, objective="reg:squarederror")


def fit_with(estimator):
    def train(rows, params, seed):
        settings = {"n_estimators": 10, "max_depth": 3, "random_state": seed, "n_jobs": 1, **params}
        return estimator(enable_categorical=True, **settings).fit(as_categories(rows.features), rows.labels)

    return train


def plain_rows():
    return rows_with_text(odd="B6, [x]")


def plain_values():
    return values_with_text(odd="B6, [x]")


class TestXGBoostFlavour(FlavourConformance):
    @pytest.fixture
    def flavour(self):
        return FLAVOUR

    @pytest.fixture(params=[fit_booster, fit_with(xgb.XGBClassifier)], ids=["booster", "classifier"])
    def train(self, request):
        return request.param

    @pytest.fixture(params=[example_rows, plain_rows])
    def rows(self, request):
        return request.param()


class TestXGBoostFlavourOfValues(FlavourConformance):
    task = "regression"

    @pytest.fixture
    def flavour(self):
        return FLAVOUR

    @pytest.fixture(params=[fit_value_booster, fit_with(xgb.XGBRegressor)], ids=["booster", "regressor"])
    def train(self, request):
        return request.param

    @pytest.fixture(params=[example_values, plain_values])
    def rows(self, request):
        return request.param()


@pytest.fixture(scope="module")
def rows():
    return plain_rows()


@pytest.fixture(scope="module")
def booster(rows):
    return fit_booster(rows, {}, 7)


def native(booster, features):
    return booster.predict(xgb.DMatrix(features, enable_categorical=True)).astype(float).tolist()


def test_scores_are_those_of_xgboost_before_and_after_it_is_stored(booster, rows):
    expected = native(booster, as_categories(rows.features))
    assert FLAVOUR.predict(booster, rows.features).tolist() == expected
    assert FLAVOUR.predict(FLAVOUR.load(FLAVOUR.dump(booster)), rows.features).tolist() == expected


def test_scores_do_not_depend_on_which_levels_a_batch_happens_to_hold(booster, rows):
    late = (rows.features["carrier"] == "UA").to_numpy()
    part = as_categories(rows.features[late])
    assert FLAVOUR.predict(booster, part).tolist() == FLAVOUR.predict(booster, rows.features)[late].tolist()


def test_an_unknown_level_scores_as_a_missing_one(booster, rows):
    unknown, missing = rows.features.assign(carrier="never seen"), rows.features.assign(carrier=None)
    assert FLAVOUR.predict(booster, unknown).tolist() == FLAVOUR.predict(booster, missing).tolist()


def test_text_in_a_column_of_numbers_is_a_schema_mismatch(booster, rows):
    with pytest.raises(SchemaMismatch, match="'wind'"):
        FLAVOUR.predict(booster, rows.features.assign(wind="strong"))


@pytest.mark.parametrize("objective", ["reg:gamma", "reg:tweedie", "count:poisson", "reg:absoluteerror"])
def test_a_value_is_in_the_units_of_the_labels(objective):
    rows = example_values()
    booster = fit_booster(rows, {"eta": 0.5}, 7, objective=objective)
    assert FLAVOUR.predict(booster, rows.features).tolist() == native(booster, rows.features)
    assert np.mean(FLAVOUR.predict(booster, rows.features)) == pytest.approx(rows.labels.mean(), rel=0.1)


@pytest.mark.parametrize("objective", ["binary:logitraw", "binary:hinge", "rank:pairwise"])
def test_a_model_that_gives_neither_probability_nor_value_is_a_training_error(objective):
    with pytest.raises(TrainingError, match=objective):
        FLAVOUR.dump(fit_booster(example_rows(), {}, 7, objective=objective))


def test_two_quantiles_at_once_are_a_training_error():
    with pytest.raises(TrainingError, match="2 outputs"):
        FLAVOUR.dump(fit_booster(example_values(), {"quantile_alpha": [0.1, 0.9]}, 7, objective="reg:quantileerror"))


def test_a_model_of_three_classes_is_a_training_error():
    rows = example_rows()
    with pytest.raises(TrainingError, match="multi:softprob"):
        FLAVOUR.dump(xgb.XGBClassifier(n_estimators=2).fit(rows.features, np.arange(len(rows)) % 3))


def test_a_model_that_stopped_early_is_stored_up_to_its_best_iteration():
    rows = example_rows()
    model = xgb.XGBClassifier(n_estimators=60, max_depth=6, n_jobs=1, early_stopping_rounds=3, random_state=7)
    held = [(rows.features[300:], rows.labels[300:])]
    model.fit(rows.features[:300], rows.labels[:300], eval_set=held, verbose=False)
    returned = FLAVOUR.load(FLAVOUR.dump(model))
    assert returned.num_boosted_rounds() == model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    assert FLAVOUR.predict(returned, rows.features).tolist() == model.predict_proba(rows.features)[:, 1].tolist()


def test_a_model_that_was_fitted_on_codes_is_a_training_error(rows):
    codes = as_categories(rows.features)["origin"].cat.codes.to_numpy(dtype=float)[:, None]
    matrix = xgb.DMatrix(codes, rows.labels, feature_names=["origin"], feature_types=["c"], enable_categorical=True)
    with pytest.raises(TrainingError, match="'origin' fitted as codes"):
        FLAVOUR.dump(xgb.train({"objective": "binary:logistic", "nthread": 1}, matrix, 2))


def test_levels_that_xgboost_cuts_off_are_a_training_error():
    with pytest.raises(TrainingError, match="'carrier' with levels outside ASCII"):
        FLAVOUR.dump(fit_booster(rows_with_text(), {}, 7))


@pytest.mark.parametrize("wrong", [xgb.XGBClassifier(), xgb.Booster()])
def test_a_model_that_was_never_fitted_is_a_training_error(wrong):
    with pytest.raises(TrainingError, match="after its fit"):
        FLAVOUR.dump(wrong)


def test_a_model_with_something_more_is_an_artefact_error(booster):
    record = json.loads(FLAVOUR.dump(booster))
    with pytest.raises(ArtefactError, match="write them otherwise"):
        FLAVOUR.load(json.dumps({**record, "more": 1}).encode())
