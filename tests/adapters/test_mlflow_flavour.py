import pickle
from pathlib import Path

import lightgbm as lgb
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from ops_pipelines.adapters.archive import pack, unpack
from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.mlflow_flavour import FittedOn, MlflowFlavour
from ops_pipelines.core.errors import ArtefactError, ConfigError, TrainingError
from ops_pipelines.testing.flavours import FlavourConformance, example_rows, example_values, hostile_bytes

xgb = pytest.importorskip("xgboost")


def fit_with(estimator):
    def train(rows, params, seed):
        settings = {"n_estimators": 10, "max_depth": 3, "random_state": seed, "n_jobs": 1, **params}
        return estimator(**settings).fit(rows.features, rows.labels)

    return train


fit_classifier, fit_regressor = fit_with(xgb.XGBClassifier), fit_with(xgb.XGBRegressor)


def fit_booster(rows, params, seed):
    settings = {"objective": "regression", "min_data_in_leaf": 5, "seed": seed, "num_threads": 1, "verbosity": -1}
    return lgb.train({**settings, "learning_rate": 0.3, **params}, lgb.Dataset(rows.features, rows.labels), 10)


class TestMlflowXGBoost(FlavourConformance):
    @pytest.fixture
    def flavour(self):
        return flavour_named("mlflow/xgboost")

    @pytest.fixture
    def train(self):
        return fit_classifier

    @pytest.fixture
    def rows(self):
        return example_rows()


class TestMlflowLightGBMOfValues(FlavourConformance):
    task = "regression"

    @pytest.fixture
    def flavour(self):
        return flavour_named("mlflow/lightgbm")

    @pytest.fixture
    def train(self):
        return fit_booster

    @pytest.fixture
    def rows(self):
        return example_values()


@pytest.fixture(scope="module")
def flavour():
    return flavour_named("mlflow/xgboost")


@pytest.fixture(scope="module")
def model():
    return fit_classifier(example_rows(), {}, 7)


@pytest.fixture(scope="module")
def files(flavour, model):
    return unpack(flavour.dump(model))


def test_scores_are_those_of_the_library(flavour, model):
    features = example_rows().features
    assert flavour.predict(model, features).tolist() == model.predict_proba(features)[:, 1].tolist()


def test_values_are_those_of_the_library(flavour):
    rows = example_values()
    model = fit_regressor(rows, {}, 7)
    assert flavour.predict(model, rows.features).tolist() == model.predict(rows.features).tolist()


def test_dates_and_ids_of_mlflow_are_left_out(flavour, model):
    assert flavour.dump(model) == flavour.dump(model)


def test_its_bytes_are_no_canonical_form(flavour):
    assert not flavour.is_canonical


def described(files, change):
    description = yaml.safe_load(files["MLmodel"])
    change(description["flavors"])
    return pack({**files, "MLmodel": yaml.safe_dump(description).encode()})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda flavours: flavours["python_function"].update(loader_module="mlflow.pyfunc.model"), "loaded by"),
        (lambda flavours: flavours["python_function"].update(loader_module="marker"), "loaded by 'marker'"),
        (lambda flavours: flavours["python_function"].update(code="code"), "brings code"),
        (lambda flavours: flavours["xgboost"].update(code="code"), "brings code"),
        (lambda flavours: flavours.update(sklearn={"pickled_model": "model.pkl"}), "loaded by"),
        (lambda flavours: flavours.clear(), "python_function"),
    ],
)
def test_a_model_that_would_run_something_else_is_refused(flavour, files, change, what):
    with pytest.raises(ArtefactError, match=what):
        flavour.load(described(files, change))


def test_code_beside_the_model_is_never_imported(flavour, files, tmp_path):
    marker = tmp_path / "ran"
    code = f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n".encode()

    def bring(flavours):
        flavours["python_function"].update(loader_module="own_loader", code="code")

    content = described({**files, "code/own_loader.py": code}, bring)
    with pytest.raises(ArtefactError):
        flavour.load(content)
    assert not marker.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["model.ubj", "data/model.bin"])
def test_a_pickle_of_any_protocol_and_name_is_refused(flavour, files, tmp_path, protocol, name):
    pickled = pickle.dumps(Path(tmp_path), protocol=protocol)
    with pytest.raises(ArtefactError, match="is a pickle, or may hold one"):
        flavour.load(pack({**files, name: pickled}))


def test_a_pickle_that_is_cut_off_is_refused_too(flavour, files, tmp_path):
    pickled = pickle.dumps(Path(tmp_path), protocol=0)  # without the header that later protocols have
    with pytest.raises(ArtefactError, match="is a pickle, or may hold one"):
        flavour.load(pack({**files, "model.ubj": pickled[:-3]}))


def test_a_packed_pickle_is_refused(flavour, files, tmp_path):
    packed = hostile_bytes(tmp_path / "ran")["pickle in an archive"]
    with pytest.raises(ArtefactError, match="is a pickle, or may hold one"):
        flavour.load(pack({**files, "model.ubj": packed}))


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "a/../../escape", "C:\\escape", ""])
def test_a_path_that_leads_out_of_the_folder_is_refused(flavour, files, name):
    with pytest.raises(ArtefactError, match="an entry is named"):
        flavour.load(pack({**files, name: b"x"}))


def test_a_flavour_that_saves_pickles_is_a_training_error():
    rows = example_rows()
    model = LogisticRegression(max_iter=1000).fit(rows.features[["distance"]], rows.labels)
    with pytest.raises(TrainingError, match="which MLflow saves without a pickle"):
        MlflowFlavour("sklearn").dump(model)


def test_a_model_that_does_not_know_its_columns_is_told_them(flavour):
    rows = example_rows()
    model = xgb.XGBClassifier(n_estimators=3, n_jobs=1).fit(rows.features.to_numpy(dtype=float), rows.labels)
    with pytest.raises(TrainingError, match="FittedOn"):
        flavour.dump(model)
    told = FittedOn(model, tuple(rows.features.columns))
    assert flavour.features(flavour.load(flavour.dump(told))) == ("distance", "wind", "late")


def test_a_classifier_of_three_classes_is_a_training_error(flavour):
    rows = example_rows()
    model = xgb.XGBClassifier(n_estimators=2, n_jobs=1).fit(rows.features, [at % 3 for at in range(len(rows))])
    with pytest.raises(TrainingError, match=r"shape \(400, 3\)"):
        flavour.predict(model, rows.features)


@pytest.mark.parametrize("name", ["mlflow/xgbost", "mlflow/pyfunc", "mlflow/tracking", "mlflow/", "mlflow/../os"])
def test_a_name_that_is_no_flavour_of_mlflow_is_a_config_error(name):
    with pytest.raises(ConfigError, match="cannot be used"):
        flavour_named(name)
