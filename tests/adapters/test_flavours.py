import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.adapters.flavours import flavour_named, path_of
from ops_pipelines.adapters.lightgbm_flavour import LightGBMFlavour
from ops_pipelines.core.errors import ConfigError, TrainingError
from ops_pipelines.mlops.training import Rows
from ops_pipelines.testing.flavour_rows import rows_with_text, values_with_text
from ops_pipelines.testing.flavours import (
    FlavourConformance,
    LinearFlavour,
    LogisticFlavour,
    example_rows,
    example_values,
    fit_linear,
    fit_logistic,
)


class TestLogisticFlavour(FlavourConformance):
    @pytest.fixture
    def flavour(self):
        return LogisticFlavour()

    @pytest.fixture
    def train(self):
        return fit_logistic

    @pytest.fixture
    def rows(self):
        return rows_with_text()


class TestLinearFlavour(FlavourConformance):
    task = "regression"

    @pytest.fixture
    def flavour(self):
        return LinearFlavour()

    @pytest.fixture
    def train(self):
        return fit_linear

    @pytest.fixture(params=[example_values, values_with_text])
    def rows(self, request):
        return request.param()


def test_the_linear_fake_is_least_squares():
    rows = example_values()
    numbers = rows.features.fillna(rows.features.mean()).astype(float)
    design = np.column_stack([np.ones(len(numbers)), numbers])
    expected, *_ = np.linalg.lstsq(design, rows.labels.to_numpy())
    model = fit_linear(rows, {"ridge": 0.0}, 7)
    assert [model.intercept, *model.coefficients] == pytest.approx(expected.tolist(), rel=1e-9)


def test_the_fakes_do_not_take_each_others_models():
    with pytest.raises(TrainingError, match="A LogisticModel is not a LinearModel"):
        LinearFlavour().dump(fit_logistic(example_rows(), {}, 7))


def test_the_logistic_fake_fills_a_missing_value_with_the_training_mean():
    rows = example_rows()
    model = fit_logistic(rows, {}, 7)
    mean = float(rows.features["wind"].mean())
    flavour, one = LogisticFlavour(), rows.features.iloc[:1]
    filled = flavour.predict(model, one.assign(wind=mean))
    assert flavour.predict(model, one.assign(wind=np.nan)) == pytest.approx(filled, abs=1e-12)


def test_the_logistic_fake_is_at_the_top_of_its_likelihood():
    rows = example_rows()
    numbers = rows.features.fillna(rows.features.mean()).astype(float)
    model = fit_logistic(Rows(numbers, rows.labels, rows.asked_at), {"ridge": 0.0}, 7)
    left = (rows.labels - LogisticFlavour().predict(model, numbers)).to_numpy()
    # There the residuals add up to nothing, over all rows and weighted by each column.
    slopes = [left.sum(), *(numbers / numbers.std()).to_numpy().T @ left]
    assert slopes == pytest.approx([0.0] * 4, abs=1e-6)


def test_the_logistic_fake_needs_a_number():
    rows = example_rows()
    with pytest.raises(TrainingError, match="numeric"):
        fit_logistic(Rows(pd.DataFrame({"carrier": ["AA"] * len(rows)}), rows.labels, rows.asked_at), {}, 7)


def test_a_flavour_is_found_by_its_name():
    assert isinstance(flavour_named("lightgbm"), LightGBMFlavour)


def test_a_team_names_its_own_flavour():
    assert isinstance(flavour_named("ops_pipelines.testing.flavours:LogisticFlavour"), LogisticFlavour)


def test_an_unknown_flavour_is_asked_about():
    with pytest.raises(ConfigError, match="Did you mean 'lightgbm'"):
        flavour_named("lightgb")


def test_a_flavour_that_cannot_be_imported_is_a_config_error():
    with pytest.raises(ConfigError, match="LogisticFlavour"):
        flavour_named("ops_pipelines.testing.flavours:LogisticFlavor")


def test_a_class_that_is_no_flavour_is_told_what_it_lacks():
    with pytest.raises(ConfigError, match="has no dump, load, predict, features"):
        flavour_named("builtins:object")


def test_a_flavour_whose_library_is_not_installed_says_what_to_install():
    code = "import sys; sys.modules['xgboost'] = None; from ops_pipelines.adapters.flavours import flavour_named as named; "
    run = subprocess.run([sys.executable, "-c", code + "named('xgboost')"], capture_output=True, text=True, check=False)
    assert "ConfigError" in run.stderr
    assert "pip install ops-pipelines[xgboost]" in run.stderr


def test_the_class_of_each_flavour_is_told_without_its_library():
    assert path_of("mlflow/catboost") == "ops_pipelines.adapters.mlflow_flavour:MlflowFlavour"
    assert path_of("sklearn") == "ops_pipelines.adapters.sklearn_flavour:SklearnFlavour"
    assert path_of("my_team.flavour:Ours") == "my_team.flavour:Ours"
