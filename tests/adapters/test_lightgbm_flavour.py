import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from ops_pipelines.adapters.lightgbm_flavour import LightGBMFlavour
from ops_pipelines.core.errors import ArtefactError, SchemaMismatch, TrainingError
from ops_pipelines.mlops.training import Rows
from ops_pipelines.testing.flavour_rows import as_categories, rows_with_text, values_with_text
from ops_pipelines.testing.flavours import FlavourConformance, example_rows, example_values

STEADY = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}


def fit_booster(rows, params, seed, **dataset):
    settings = {"objective": "binary", "num_iterations": 10, "min_data_in_leaf": 5, "seed": seed, **STEADY, **params}
    return lgb.train(settings, lgb.Dataset(as_categories(rows.features), rows.labels, **dataset))


def fit_classifier(rows, params, seed):
    settings = {"n_estimators": 10, "min_child_samples": 5, "random_state": seed, **STEADY, **params}
    return lgb.LGBMClassifier(**settings).fit(as_categories(rows.features), rows.labels)


def fit_value_booster(rows, params, seed):
    return fit_booster(rows, {"objective": "regression", "learning_rate": 0.3, **params}, seed)


def fit_regressor(rows, params, seed):
    settings = {"n_estimators": 10, "min_child_samples": 5, "random_state": seed, **STEADY, **params}
    return lgb.LGBMRegressor(**settings).fit(as_categories(rows.features), rows.labels)


class TestLightGBMFlavour(FlavourConformance):
    @pytest.fixture
    def flavour(self):
        return LightGBMFlavour()

    @pytest.fixture(params=[fit_booster, fit_classifier])
    def train(self, request):
        return request.param

    @pytest.fixture(params=[example_rows, rows_with_text])
    def rows(self, request):
        return request.param()


class TestLightGBMFlavourOfValues(FlavourConformance):
    task = "regression"

    @pytest.fixture
    def flavour(self):
        return LightGBMFlavour()

    @pytest.fixture(params=[fit_value_booster, fit_regressor])
    def train(self, request):
        return request.param

    @pytest.fixture(params=[example_values, values_with_text])
    def rows(self, request):
        return request.param()


@pytest.fixture(scope="module")
def text_rows():
    return rows_with_text()


@pytest.fixture(scope="module")
def booster(text_rows):
    return fit_booster(text_rows, {}, 7)


def test_scores_are_those_of_lightgbm_on_the_training_frame(booster, text_rows):
    expected = booster.predict(as_categories(text_rows.features))
    assert LightGBMFlavour().predict(booster, text_rows.features).tolist() == expected.tolist()


def test_scores_do_not_depend_on_which_levels_a_batch_happens_to_hold(booster, text_rows):
    whole = LightGBMFlavour().predict(booster, text_rows.features)
    late = (text_rows.features["carrier"] == "UA").to_numpy()
    part = as_categories(text_rows.features[late])
    assert LightGBMFlavour().predict(booster, part).tolist() == whole[late].tolist()


def test_an_unknown_level_scores_as_a_missing_one(booster, text_rows):
    unknown = text_rows.features.assign(carrier="never seen")
    missing = text_rows.features.assign(carrier=None)
    flavour = LightGBMFlavour()
    assert flavour.predict(booster, unknown).tolist() == flavour.predict(booster, missing).tolist()


def test_a_flag_with_missing_values_scores_as_numbers(booster, text_rows):
    late = text_rows.features["late"].astype(object)
    late.iloc[:3] = None
    as_numbers = text_rows.features.assign(late=late.astype(float))
    flavour = LightGBMFlavour()
    expected = flavour.predict(booster, as_numbers).tolist()
    assert flavour.predict(booster, text_rows.features.assign(late=late)).tolist() == expected
    assert flavour.predict(booster, text_rows.features.assign(late=late.astype("boolean"))).tolist() == expected


def test_text_in_a_column_of_numbers_is_a_schema_mismatch(booster, text_rows):
    with pytest.raises(SchemaMismatch, match="'wind'"):
        LightGBMFlavour().predict(booster, text_rows.features.assign(wind="strong"))


def test_a_column_of_another_name_is_asked_about(booster, text_rows):
    with pytest.raises(SchemaMismatch, match="Did you mean 'carier'"):
        LightGBMFlavour().predict(booster, text_rows.features.rename(columns={"carrier": "carier"}))


def test_settings_that_change_no_tree_change_no_byte(text_rows, booster):
    other = fit_booster(text_rows, {"bagging_seed": 5, "metric": "auc"}, 7)
    assert other.model_to_string() != booster.model_to_string()
    assert LightGBMFlavour().dump(other) == LightGBMFlavour().dump(booster)


def test_a_classifier_is_stored_as_its_booster(text_rows):
    classifier = fit_classifier(text_rows, {}, 7)
    assert LightGBMFlavour().dump(classifier) == LightGBMFlavour().dump(classifier.booster_)


def test_early_stopping_keeps_the_best_trees_only(text_rows):
    booster = fit_booster(text_rows, {}, 7)
    booster.best_iteration = 4
    returned = LightGBMFlavour().load(LightGBMFlavour().dump(booster))
    assert returned.num_trees() == 4
    expected = LightGBMFlavour().predict(booster, text_rows.features)
    assert LightGBMFlavour().predict(returned, text_rows.features).tolist() == expected.tolist()


def test_linear_trees_come_back(text_rows):
    flavour = LightGBMFlavour()
    booster = fit_booster(text_rows, {"linear_tree": True}, 7)
    returned = flavour.load(flavour.dump(booster))
    expected = flavour.predict(booster, text_rows.features).tolist()
    assert flavour.predict(returned, text_rows.features).tolist() == expected


def test_a_category_with_numbers_as_levels_comes_back(text_rows):
    numbered = text_rows.features.assign(origin=pd.Categorical(np.arange(len(text_rows)) % 3))
    booster = fit_booster(Rows(numbered, text_rows.labels, text_rows.asked_at), {}, 7)
    plain = numbered.astype({"origin": int})
    expected = booster.predict(as_categories(numbered)).tolist()
    assert LightGBMFlavour().predict(booster, plain).tolist() == expected


VALUES = ["regression", "l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie"]


@pytest.mark.parametrize("objective", VALUES)
def test_a_value_is_in_the_units_of_the_labels_before_and_after_it_is_stored(objective):
    rows = example_values()
    settings = {"alpha": 0.9, "reg_sqrt": objective == "regression"}
    booster = fit_booster(rows, {"objective": objective, **settings}, 7)
    returned = LightGBMFlavour().load(LightGBMFlavour().dump(booster))
    expected = booster.predict(rows.features).tolist()
    assert LightGBMFlavour().predict(returned, rows.features).tolist() == expected
    if objective in ("regression", "poisson", "gamma", "tweedie"):  # the others are still far after ten trees
        assert np.mean(expected) == pytest.approx(rows.labels.mean(), rel=0.05)


@pytest.mark.parametrize("objective", ["rank_xendcg", "multiclassova"])
def test_a_model_that_gives_neither_probability_nor_value_is_a_training_error(objective):
    settings = {"objective": objective, "num_class": 2 if "multi" in objective else 1, "min_data_in_leaf": 5, **STEADY}
    rows = example_rows()
    data = lgb.Dataset(rows.features, rows.labels, group=[100] * 4 if "rank" in objective else None)
    with pytest.raises(TrainingError, match=objective):
        LightGBMFlavour().dump(lgb.train(settings, data, 2))


def test_a_model_of_three_classes_is_a_training_error(text_rows):
    three = Rows(text_rows.features, pd.Series(np.arange(len(text_rows)) % 3), text_rows.asked_at)
    with pytest.raises(TrainingError, match="multiclass"):
        LightGBMFlavour().dump(fit_classifier(three, {}, 7))


def test_a_classifier_that_was_never_fitted_is_a_training_error():
    with pytest.raises(TrainingError, match="after its fit"):
        LightGBMFlavour().dump(lgb.LGBMClassifier())


def test_categories_whose_levels_cannot_be_told_are_a_training_error(text_rows):
    with pytest.raises(TrainingError, match="leave categorical_feature alone"):
        LightGBMFlavour().dump(fit_booster(text_rows, {}, 7, categorical_feature=["carrier"]))


def test_trees_that_lost_a_line_are_an_artefact_error(booster):
    content = LightGBMFlavour().dump(booster)
    start = content.index(b"\nleaf_value=")
    with pytest.raises(ArtefactError, match="as long as its header says"):
        LightGBMFlavour().load(content[:start] + content[content.index(b"\n", start + 1) :])
