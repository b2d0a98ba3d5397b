import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from ops_pipelines.adapters.archive import pack, unpack
from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.sklearn_flavour import SklearnFlavour
from ops_pipelines.core.errors import ArtefactError, SchemaMismatch, TrainingError
from ops_pipelines.testing.flavour_rows import as_categories, rows_with_text, values_with_text
from ops_pipelines.testing.flavours import FlavourConformance, example_rows

FLAVOUR = SklearnFlavour()
TEXT, NUMBERS = make_column_selector(dtype_include=object), make_column_selector(dtype_exclude=object)


class Ratio(TransformerMixin, BaseEstimator):
    """A team's own transformer."""

    def fit(self, features, labels=None):
        self.scale_ = float(features["distance"].mean())
        self.feature_names_in_ = np.asarray(features.columns, dtype=object)
        return self

    def transform(self, features):
        return features[["distance"]] / self.scale_


class OurSklearn(SklearnFlavour):
    trusted = (f"{__name__}.Ratio",)


def codes():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)


def one_hot():
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), TEXT), (SimpleImputer(), NUMBERS))


def trees_on_codes(estimator):
    def train(rows, params, seed):
        columns = make_column_transformer((codes(), TEXT), remainder="passthrough")
        settings = {"max_iter": 5, "min_samples_leaf": 5, "random_state": seed, "learning_rate": 0.3, **params}
        model = make_pipeline(columns, estimator(**settings))
        with threadpool_limits(1):  # two threads wait for each other on a busy machine
            return model.fit(rows.features, rows.labels)

    return train


def trees_on_types(estimator):
    def train(rows, params, seed):
        settings = {"max_iter": 5, "min_samples_leaf": 5, "random_state": seed, "learning_rate": 0.3, **params}
        with threadpool_limits(1):
            return estimator(**settings).fit(as_categories(rows.features), rows.labels)

    return train


def forest(estimator):
    def train(rows, params, seed):
        trees = estimator(n_estimators=5, max_depth=5, n_jobs=2, random_state=seed, **params)
        return make_pipeline(one_hot(), trees).fit(rows.features, rows.labels)

    return train


def linear(estimator):
    def train(rows, params, seed):
        scaled = StandardScaler(with_mean=False)
        return make_pipeline(one_hot(), scaled, estimator(**params)).fit(rows.features, rows.labels)

    return train


def calibrated(rows, params, seed):
    trees = DecisionTreeClassifier(max_depth=3, random_state=seed)
    return make_pipeline(one_hot(), CalibratedClassifierCV(trees, cv=2)).fit(rows.features, rows.labels)


def boosted(rows, params, seed):
    trees = GradientBoostingRegressor(n_estimators=10, loss="huber", random_state=seed)
    return make_pipeline(one_hot(), trees).fit(rows.features, rows.labels)


class TestSklearnFlavour(FlavourConformance):
    @pytest.fixture
    def flavour(self):
        return SklearnFlavour()

    @pytest.fixture(
        params=[
            trees_on_codes(HistGradientBoostingClassifier),
            trees_on_types(HistGradientBoostingClassifier),
            forest(RandomForestClassifier),
            linear(LogisticRegression),
            calibrated,
        ],
        ids=["boosted", "boosted on types", "forest", "linear", "calibrated"],
    )
    def train(self, request):
        return request.param

    @pytest.fixture
    def rows(self):
        return rows_with_text()


class TestSklearnFlavourOfValues(FlavourConformance):
    task = "regression"

    @pytest.fixture
    def flavour(self):
        return SklearnFlavour()

    @pytest.fixture(
        params=[
            trees_on_codes(HistGradientBoostingRegressor),
            forest(RandomForestRegressor),
            linear(RidgeCV),
            boosted,
        ],
        ids=["boosted", "forest", "linear", "huber"],
    )
    def train(self, request):
        return request.param

    @pytest.fixture
    def rows(self):
        return values_with_text()


@pytest.fixture(scope="module")
def rows():
    return rows_with_text()


@pytest.fixture(scope="module")
def model(rows):
    return linear(LogisticRegression)(rows, {}, 7)


def test_scores_are_those_of_scikit_learn(rows):
    model = forest(RandomForestClassifier)(rows, {}, 7).set_params(randomforestclassifier__n_jobs=1)
    expected = model.predict_proba(rows.features)[:, 1].tolist()
    assert FLAVOUR.predict(model, rows.features).tolist() == pytest.approx(expected, abs=1e-12)


def test_rows_of_many_blocks_score_as_those_of_one(model, rows):
    many = pd.concat([rows.features] * 3)
    assert FLAVOUR.predict(model, many).tolist() == FLAVOUR.predict(model, rows.features).tolist() * 3


@pytest.mark.parametrize("train", [trees_on_codes(HistGradientBoostingClassifier), linear(LogisticRegression)])
@pytest.mark.parametrize("count", [1, 2, 511, 512, 513, 1300])
def test_a_row_scores_the_same_in_a_batch_of_any_size(rows, train, count):
    many = pd.concat([rows.features] * 4, ignore_index=True)
    model = train(rows, {}, 7)
    assert FLAVOUR.predict(model, many[:count]).tolist() == FLAVOUR.predict(model, many).tolist()[:count]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("fitted_on", [None, np.nan])
@pytest.mark.parametrize("encoder", [OneHotEncoder, OrdinalEncoder])
def test_missing_text_scores_as_what_the_model_learned_for_it(rows, encoder, fitted_on, missing):
    known = rows.features["carrier"].notna()
    learned = rows.features.assign(carrier=rows.features["carrier"].where(known, fitted_on).astype(object))
    columns = make_column_transformer((encoder(), TEXT), (SimpleImputer(), NUMBERS))  # an unknown value would raise
    model = make_pipeline(columns, DecisionTreeClassifier(max_depth=5, random_state=7)).fit(learned, rows.labels)
    given = rows.features.assign(carrier=rows.features["carrier"].where(known, missing).astype(object))
    assert FLAVOUR.predict(model, given).tolist() == FLAVOUR.predict(model, learned).tolist()


def test_text_imputed_from_nan_is_given_nan(rows):
    imputed = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    columns = make_column_transformer((imputed, TEXT), (SimpleImputer(), NUMBERS))
    learned = rows.features.fillna({"carrier": np.nan})
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(learned, rows.labels)
    assert FLAVOUR.predict(model, rows.features).tolist() == FLAVOUR.predict(model, learned).tolist()


@pytest.mark.parametrize("kind", ["boolean", "object"])
def test_a_flag_with_missing_values_scores_as_numbers(model, rows, kind):
    late = rows.features["late"].astype(float)
    late[:3] = np.nan
    given = rows.features.assign(late=late.astype("boolean").astype(kind))
    expected = FLAVOUR.predict(model, rows.features.assign(late=late)).tolist()
    assert FLAVOUR.predict(model, given).tolist() == expected


def test_pandas_own_types_score_as_numpys(model, rows):
    assert (
        FLAVOUR.predict(model, rows.features.convert_dtypes()).tolist()
        == FLAVOUR.predict(model, rows.features).tolist()
    )


def test_text_in_a_column_of_numbers_is_a_schema_mismatch(model, rows):
    with pytest.raises(SchemaMismatch, match="strong"):
        FLAVOUR.predict(model, rows.features.assign(wind="strong"))


def test_a_column_of_another_name_is_asked_about(model, rows):
    with pytest.raises(SchemaMismatch, match="Did you mean 'carier'"):
        FLAVOUR.predict(model, rows.features.rename(columns={"carrier": "carier"}))


def test_a_search_is_stored_as_its_best_estimator(rows):
    search = GridSearchCV(linear(LogisticRegression)(rows, {}, 7), {"logisticregression__C": [0.1, 1]}, cv=2)
    search.fit(rows.features, rows.labels)
    assert FLAVOUR.dump(search) == FLAVOUR.dump(search.best_estimator_)


def train_on(labels):
    features = example_rows().features.fillna(0.0)
    return LogisticRegression(max_iter=5000).fit(features, labels(example_rows().labels))


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (lambda labels: np.arange(len(labels)) % 3, "other classes than 0 and 1"),
        (lambda labels: labels.map({0.0: "no", 1.0: "yes"}), "other classes than 0 and 1"),
        (lambda labels: labels + 1, "other classes than 0 and 1"),
    ],
)
def test_other_classes_are_a_training_error(labels, what):
    with pytest.raises(TrainingError, match=what):
        FLAVOUR.dump(train_on(labels))


@pytest.mark.parametrize("kind", [bool, int, float])
def test_the_classes_may_be_flags_or_numbers(kind):
    model = train_on(lambda labels: labels.astype(kind))
    features = example_rows().features.fillna(0.0)
    expected = model.predict_proba(features)[:, 1].tolist()
    assert FLAVOUR.predict(model, features).tolist() == pytest.approx(expected, abs=1e-12)


def test_a_classifier_without_probabilities_is_told_how_to_get_them(rows):
    with pytest.raises(TrainingError, match="CalibratedClassifierCV"):
        FLAVOUR.dump(linear(RidgeClassifier)(rows, {}, 7))


def test_a_model_that_was_fitted_on_an_array_is_told_to_take_the_frame(rows):
    numbers = rows.features[["distance"]].to_numpy()
    with pytest.raises(TrainingError, match=r"Fit it on rows\.features"):
        FLAVOUR.dump(LogisticRegression().fit(numbers, rows.labels))


@pytest.mark.parametrize("wrong", [LogisticRegression(), StandardScaler(), LogisticRegression])
def test_what_is_not_fitted_or_not_a_predictor_is_a_training_error(wrong):
    with pytest.raises(TrainingError, match="a fitted classifier"):
        FLAVOUR.dump(wrong)


def test_a_lambda_is_a_training_error(rows):
    columns = FunctionTransformer(lambda features: features[["distance"]])
    with pytest.raises(TrainingError, match="instead of a lambda"):
        FLAVOUR.dump(make_pipeline(columns, LogisticRegression()).fit(rows.features, rows.labels))


def test_a_parameter_that_skops_would_change_is_a_training_error(rows):
    model = LogisticRegression(class_weight={False: 1.0, True: 2.0})  # a text that is not empty is true
    with pytest.raises(TrainingError, match="come back"):
        FLAVOUR.dump(model.fit(rows.features[["distance"]], rows.labels.astype(bool)))


def test_a_teams_own_transformer_is_stored_where_the_team_names_it(rows):
    model = make_pipeline(Ratio(), LogisticRegression()).fit(rows.features, rows.labels)
    with pytest.raises(TrainingError, match="Ratio, which is not trusted"):
        FLAVOUR.dump(model)
    ours = OurSklearn()
    assert (
        ours.predict(ours.load(ours.dump(model)), rows.features).tolist() == ours.predict(model, rows.features).tolist()
    )


def with_a_part(model, **node):
    """The model's bytes with another thing in the place of its first step."""
    entries = unpack(FLAVOUR.dump(model))
    schema = json.loads(entries["schema.json"])
    schema["content"]["content"]["memory"] = node
    return pack({**entries, "schema.json": json.dumps(schema).encode()})


def text_node(text):
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(text)}


def call_of(module, name, *arguments):
    """A node that calls a function when it is made."""
    given = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    return {
        "__module__": module,
        "__class__": name,
        "__loader__": "ConstructorFromReduceNode",
        "content": {**given, "content": [text_node(argument) for argument in arguments]},
    }


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "mkdir"), ("numpy", "memmap"), ("sklearn.utils._testing", "os.mkdir"), ("scipy.io", "savemat")],
)
def test_a_function_in_stored_bytes_is_refused_before_it_is_called(model, tmp_path, module, name):
    marker = tmp_path / "made"
    with pytest.raises(ArtefactError, match=f"{module}.{name}, which is not trusted"):
        FLAVOUR.load(with_a_part(model, **call_of(module, name, str(marker))))
    assert not marker.exists()


def test_a_class_of_a_trusted_library_is_not_called_either(model):
    with pytest.raises(ArtefactError, match="load_files, which is not trusted"):
        FLAVOUR.load(with_a_part(model, **call_of("sklearn.datasets", "load_files", "x")))


def test_a_class_from_elsewhere_is_refused(model):
    node = {"__module__": "http.server", "__class__": "HTTPServer", "__loader__": "ObjectNode"}
    with pytest.raises(ArtefactError, match="HTTPServer, which is not trusted"):
        FLAVOUR.load(with_a_part(model, **node))


@pytest.mark.parametrize("name", ["../escape.npy", "/etc/x.npy", "model.pkl", "more/0.npy"])
def test_an_archive_with_another_entry_is_refused(model, name):
    entries = unpack(FLAVOUR.dump(model))
    with pytest.raises(ArtefactError, match="an entry is named"):
        FLAVOUR.load(pack({**entries, name: b"x"}))


def test_the_flavour_is_found_by_its_name():
    assert isinstance(flavour_named("sklearn"), SklearnFlavour)
