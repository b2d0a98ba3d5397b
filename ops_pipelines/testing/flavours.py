"""Fast flavours for tests, and what every flavour must keep.

`FlavourConformance` is run by a subclass in a test file, whose fixtures say what is tested:

    class TestMyFlavour(FlavourConformance):
        @pytest.fixture
        def flavour(self): return MyFlavour()

        @pytest.fixture
        def train(self): return fit_my_model        # a team's function of (rows, params, seed)

        @pytest.fixture
        def rows(self): return example_rows()       # two classes, at least 50 rows

For a regressor, `rows` are for instance `example_values()`, and the class says `task = "regression"`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ops_pipelines.core.errors import ArtefactError, DataError, SchemaMismatch, TrainingError, near_miss
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.mlops.training import Rows
from ops_pipelines.testing.asked_rows import CELLS, changed_rows, plain_columns, scores_or_refusal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_SEED = 7


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A coefficient for each column, an intercept, and the training mean that stands for a missing value."""

    columns: tuple[str, ...]
    means: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float

    def __post_init__(self) -> None:
        if not len(self.columns) == len(self.means) == len(self.coefficients):
            raise ValueError("columns, means and coefficients differ in number")


@dataclass(frozen=True, slots=True)
class LogisticModel(LinearModel):
    """A linear model of the log odds of the positive class."""


def fit_logistic(rows: Rows, params: Mapping[str, Any], seed: int) -> LogisticModel:  # noqa: ARG001  (as every team's)
    """A training function: ridge-penalised logistic regression on the numeric columns, others left out.

    `params["ridge"]` is the penalty on standardised coefficients, 1.0 without it. Newton's method from zero, so nothing
    is drawn and the seed changes nothing. TrainingError where no column is numeric.
    """
    columns, means, scales, values = _standardised(rows)
    weights = _newton(values, rows.labels.to_numpy(dtype=float), float(params.get("ridge", 1.0)))
    return LogisticModel(columns, tuple(means.tolist()), *_unscaled(weights, means, scales))


def fit_linear(rows: Rows, params: Mapping[str, Any], seed: int) -> LinearModel:  # noqa: ARG001  (as every team's)
    """A training function: ridge-penalised least squares on the numeric columns, otherwise as `fit_logistic`."""
    import numpy as np

    columns, means, scales, values = _standardised(rows)
    design = np.column_stack([np.ones(len(values)), values])
    penalty = np.diag([0.0] + [float(params.get("ridge", 1.0))] * values.shape[1])
    weights = np.linalg.solve(design.T @ design + penalty, design.T @ rows.labels.to_numpy(dtype=float))
    return LinearModel(columns, tuple(means.tolist()), *_unscaled(weights, means, scales))


class LinearFlavour:
    """The fake flavour of values: a LinearModel as canonical JSON. Name it `ops_pipelines.testing.flavours:LinearFlavour`."""

    is_canonical: ClassVar[bool] = True
    _model: ClassVar[type[LinearModel]] = LinearModel

    def dump(self, model: Any) -> bytes:
        """The model as canonical JSON; TrainingError for anything but a model of this flavour."""
        return canonical_json(asdict(self._own(model)))

    def load(self, content: bytes) -> LinearModel:
        """The model of some bytes; ArtefactError where they are not what `dump` made."""
        try:
            record = json.loads(content)
            lists = {name: tuple(record[name]) for name in ("columns", "means", "coefficients")}
            return self._model(**lists, intercept=record["intercept"])
        except (ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"{len(content)} bytes are no whole {self._model.__name__}: {error}",
                expected=f"the JSON that {type(self).__name__}.dump made",
                action="Restore the object from a backup, or train the release again",
            ) from error

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """The value of each row; SchemaMismatch for a column that is missing."""
        import numpy as np

        fitted = self._own(model)
        for name in fitted.columns:
            if name not in features:
                raise SchemaMismatch(
                    f"The column {name!r} is missing, which the model was fitted on",
                    expected=f"the columns {', '.join(fitted.columns)}",
                    action=near_miss(name, map(str, features.columns)),
                    column=name,
                )
        values = features[list(fitted.columns)].to_numpy(dtype=float, na_value=np.nan)
        filled = np.where(np.isfinite(values), values, fitted.means)
        # Not a matrix product, whose rounding depends on how many rows are scored together.
        scores: np.ndarray = (filled * np.array(fitted.coefficients)).sum(axis=1) + fitted.intercept
        return scores

    def features(self, model: Any) -> tuple[str, ...]:
        """The numeric columns that the model was fitted on."""
        return self._own(model).columns

    def _own(self, model: Any) -> LinearModel:
        if type(model) is self._model:
            return model
        raise TrainingError(
            f"A {type(model).__name__} is not a {self._model.__name__}",
            expected=f"the {self._model.__name__} that this module's training function returns",
            action="Return it from the training function, or name the model's own flavour",
        )


class LogisticFlavour(LinearFlavour):
    """The fake flavour: a LogisticModel as canonical JSON. Name it `ops_pipelines.testing.flavours:LogisticFlavour`."""

    _model = LogisticModel

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """The probability of the positive class for each row; SchemaMismatch for a column that is missing."""
        import numpy as np

        logits = super().predict(model, features)
        return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))


def example_rows(count: int = 400, seed: int = 0) -> Rows:
    """Made-up rows of two classes: the numeric columns `distance` and `wind` (a tenth missing) and the flag `late`."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(seed)
    distance, wind, late = draw.uniform(100, 2000, count), draw.normal(10, 4, count), draw.random(count) < 0.3
    logits = 0.25 * (wind - 10) + 1.5 * late - distance / 2000
    labels = (draw.random(count) < 1 / (1 + np.exp(-logits))).astype(float)
    wind[draw.random(count) < 0.1] = np.nan
    asked_at = pd.Series(pd.date_range("2013-01-01", periods=count, freq="h", tz="UTC"))
    return Rows(pd.DataFrame({"distance": distance, "wind": wind, "late": late}), pd.Series(labels), asked_at)


def example_values(count: int = 400, seed: int = 0) -> Rows:
    """The rows of `example_rows` with a positive number as label: minutes that grow with `distance` and with `late`."""
    import numpy as np

    rows = example_rows(count, seed)
    noise = np.random.default_rng(seed + 1).gamma(2.0, 4.0, count)
    minutes = 20 + rows.features["distance"] / 8 + 15 * rows.features["late"] + noise
    return Rows(rows.features, minutes, rows.asked_at)


def hostile_bytes(marker: Path) -> dict[str, bytes]:
    """Bytes that no flavour may load, by what they are: each touches `marker` where something unpickles it.

    A pickle, an archive with that pickle in it, and an archive with an entry whose name leads out of its folder.
    """
    import io
    import pickle
    import zipfile

    class Touch:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    def archive(name: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr(name, pickled)
        return buffer.getvalue()

    pickled = pickle.dumps(Touch())
    return {"pickle": pickled, "pickle in an archive": archive("model.pkl"), "escape": archive(f"../{marker.name}")}


class FlavourConformance:
    """What every flavour must keep. A subclass gives the fixtures `flavour`, `train` and `rows`."""

    task: ClassVar[str] = "classification"

    def test_a_model_that_comes_back_scores_the_same_to_the_bit(self, flavour, train, rows):
        model = train(rows, {}, _SEED)
        returned = flavour.load(flavour.dump(model))
        assert flavour.predict(returned, rows.features).tolist() == flavour.predict(model, rows.features).tolist()

    def test_a_model_that_comes_back_has_the_same_bytes(self, flavour, train, rows):
        content = flavour.dump(train(rows, {}, _SEED))
        assert flavour.dump(flavour.load(content)) == content

    def test_two_fits_of_the_same_rows_params_and_seed_have_the_same_bytes(self, flavour, train, rows):
        import pytest

        if not flavour.is_canonical:
            pytest.skip("its bytes are no canonical form, and it says so")
        assert flavour.dump(train(rows, {}, _SEED)) == flavour.dump(train(rows, {}, _SEED))

    def test_other_rows_give_other_bytes(self, flavour, train, rows):
        fewer = _first_rows(rows, len(rows) * 2 // 3)
        assert flavour.dump(train(fewer, {}, _SEED)) != flavour.dump(train(rows, {}, _SEED))

    def test_scores_are_probabilities_or_values_in_the_labels_units_one_for_each_row(self, flavour, train, rows):
        scores = flavour.predict(train(rows, {}, _SEED), rows.features)
        assert (scores.shape, scores.dtype) == ((len(rows),), float)
        assert abs(scores.mean() / rows.labels.mean() - 1) < 0.2
        if self.task == "classification":
            assert ((scores >= 0) & (scores <= 1)).all()
            assert scores[rows.labels == 1].mean() > scores[rows.labels == 0].mean()

    def test_a_row_scores_the_same_alone_as_among_others(self, flavour, train, rows):
        model = train(rows, {}, _SEED)
        together = flavour.predict(model, rows.features)[:5].tolist()
        assert [float(flavour.predict(model, rows.features.iloc[[at]])[0]) for at in range(5)] == together

    def test_its_scorer_gives_what_predict_gives(self, flavour, train, rows):
        import pytest
        from hypothesis import given, settings
        from hypothesis import strategies as st

        model = train(rows, {}, _SEED)
        if not hasattr(flavour, "scorer"):
            pytest.skip("it has no scorer, and requests are scored by predict")
        score = flavour.scorer(model)
        cells = st.lists(st.sampled_from(CELLS), min_size=rows.features.shape[1], max_size=rows.features.shape[1])
        asked = st.lists(st.tuples(st.integers(0, len(rows) - 1), cells), min_size=1, max_size=6)

        @settings(max_examples=30, deadline=None, derandomize=True, database=None)
        @given(asked)
        def check(chosen: Any) -> None:
            features = changed_rows(rows.features, chosen)
            expected = scores_or_refusal(lambda: flavour.predict(model, features).tolist())
            found = scores_or_refusal(lambda: list(score(plain_columns(features[list(flavour.features(model))]))))
            assert found == (pytest.approx(expected, rel=1e-9) if expected else None)

        check()

    def test_no_rows_give_no_scores(self, flavour, train, rows):
        assert len(flavour.predict(train(rows, {}, _SEED), rows.features.iloc[:0])) == 0

    def test_the_index_of_the_rows_does_not_matter(self, flavour, train, rows):
        model = train(rows, {}, _SEED)
        renamed = rows.features.set_axis([f"row {at}" for at in range(len(rows))])
        assert flavour.predict(model, renamed).tolist() == flavour.predict(model, rows.features).tolist()

    def test_the_order_of_the_columns_does_not_matter(self, flavour, train, rows):
        model = train(rows, {}, _SEED)
        turned = rows.features[list(rows.features.columns)[::-1]]
        assert flavour.predict(model, turned).tolist() == flavour.predict(model, rows.features).tolist()

    def test_a_column_that_was_not_fitted_on_does_not_matter(self, flavour, train, rows):
        model = train(rows, {}, _SEED)
        wider = rows.features.assign(more="x")
        assert flavour.predict(model, wider).tolist() == flavour.predict(model, rows.features).tolist()

    def test_a_missing_column_is_a_data_error_that_names_it(self, flavour, train, rows):
        import pytest

        model = train(rows, {}, _SEED)
        for name in flavour.features(model):
            with pytest.raises(DataError, match=name):
                flavour.predict(model, rows.features.drop(columns=name))

    def test_its_features_are_columns_of_its_rows_and_come_back(self, flavour, train, rows):
        model = train(rows, {}, _SEED)
        assert flavour.features(model)
        assert set(flavour.features(model)) <= set(rows.features.columns)
        assert flavour.features(flavour.load(flavour.dump(model))) == flavour.features(model)

    def test_something_else_than_a_model_is_a_training_error(self, flavour):
        import pytest

        for wrong in (object(), None, "a model", {"coefficients": [1.0]}):
            with pytest.raises(TrainingError):
                flavour.dump(wrong)

    def test_bytes_that_are_cut_off_anywhere_are_an_artefact_error(self, flavour, train, rows):
        import pytest

        content = flavour.dump(train(rows, {}, _SEED))
        for kept in {0, 1, *(len(content) * part // 20 for part in range(20)), len(content) - 1}:
            with pytest.raises(ArtefactError):
                flavour.load(content[:kept])

    def test_bytes_of_something_else_are_an_artefact_error(self, flavour):
        import pytest

        for foreign in (b"{}", b"\x80\x04N.", b"tree\n", b"[1, 2]\n"):
            with pytest.raises(ArtefactError):
                flavour.load(foreign)

    def test_nothing_in_hostile_bytes_is_run(self, flavour, tmp_path):
        import pytest

        marker = tmp_path / "ran"
        for content in hostile_bytes(marker).values():
            with pytest.raises(ArtefactError):
                flavour.load(content)
        assert not marker.exists()


def _standardised(rows: Rows) -> "tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]":
    """The numeric columns, their means and scales, and their values standardised with means for missing ones."""
    import numpy as np

    numeric = rows.features.select_dtypes(include=["number", "bool"])
    if numeric.empty:
        raise TrainingError(
            "A linear model has nothing to fit on",
            expected="rows with at least one numeric column",
            action="Offer a numeric feature, or train another model",
        )
    values = numeric.to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(values)
    means = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, means)
    scales = np.where(filled.std(axis=0) > 0, filled.std(axis=0), 1.0)
    return tuple(numeric.columns), means, scales, (filled - means) / scales


def _unscaled(weights: "np.ndarray", means: "np.ndarray", scales: "np.ndarray") -> tuple[tuple[float, ...], float]:
    """The coefficients and the intercept on the columns as they are."""
    coefficients = weights[1:] / scales
    return tuple(coefficients.tolist()), float(weights[0] - coefficients @ means)


def _newton(values: "np.ndarray", labels: "np.ndarray", ridge: float) -> "np.ndarray":
    """The intercept and the coefficients of a ridge-penalised logistic regression; the intercept is not penalised."""
    import numpy as np

    design = np.column_stack([np.ones(len(values)), values])
    penalty = np.diag([1e-9] + [ridge] * values.shape[1])
    weights = np.zeros(design.shape[1])
    for _ in range(8):
        scores = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (labels - scores) - penalty @ weights
        curvature = (design * (scores * (1 - scores))[:, None]).T @ design + penalty
        weights = weights + np.linalg.solve(curvature, slope)
    return weights


def _first_rows(rows: Rows, count: int) -> Rows:
    return Rows(rows.features.iloc[:count], rows.labels.iloc[:count], rows.asked_at.iloc[:count])
