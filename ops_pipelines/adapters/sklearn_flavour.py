"""Any scikit-learn estimator or Pipeline as canonical bytes, through skops and never as a pickle.

A team's own transformer, or a function in a FunctionTransformer, is allowed by name in a flavour of the team's own, which
the pipeline then names as `my_team.flavour:OurSklearn`:

    class OurSklearn(SklearnFlavour):
        trusted = ("my_team.features.Ratio",)

To get the same model twice, give each estimator that draws a `random_state`.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from ops_pipelines.core.errors import ArtefactError, SchemaMismatch, TrainingError, near_miss
from ops_pipelines.mlops.serving import Columns, Scorer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

_LIBRARIES = ("sklearn.", "scipy.", "lightgbm.", "xgboost.")
_MADE_EMPTY = {"ObjectNode", "TreeNode"}
"""How skops makes a thing without calling it: an empty one of its class, whose attributes are then set. Of a trusted
library that is safe for every class. Functions, and classes that would be called, are trusted one by one: with any of
numpy's a file could write to the disk or run a text as code."""

_TRUSTED = frozenset(
    {"numpy.dtype", "numpy.number", "builtins.object", "functools.partial", "sklearn.utils.validation.check_array"}
)
"""What fitted estimators of scikit-learn hold besides: types of columns, and a partial `check_array` where categories come
from types."""

_ROW_BY_ROW = (
    "sklearn.compose.",
    "sklearn.dummy",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._gb",
    "sklearn.ensemble._hist_gradient_boosting.",
    "sklearn.impute._base",
    "sklearn.pipeline",
    "sklearn.preprocessing._encoders",
    "sklearn.preprocessing._target_encoder",
    "sklearn.tree.",
)
"""Modules whose estimators treat each row for itself. Any other may hold a matrix product, which rounds differently for
another number of rows."""

_BLOCK = 512
"""Rows at a time for those others: fewer are filled up, so that each product is of one size."""


_HELD = (
    "steps",
    "transformers_",
    "transformer_list",
    "estimator",
    "estimator_",
    "estimators_",
    "init_",
    "_preprocessor",
)
"""Attributes in which one estimator holds others, alone or in lists of them."""


class SklearnFlavour:
    """Classifiers of the classes 0 and 1, and regressors, fitted on a DataFrame whose columns are named.

    A search such as GridSearchCV is stored as its best estimator.
    """

    is_canonical: ClassVar[bool] = True
    trusted: ClassVar[tuple[str, ...]] = ()
    """The full names of a team's own classes and functions that a model may hold: `package.module.Name`."""

    def dump(self, model: Any) -> bytes:
        """The model's canonical bytes, which were loaded once to see that they come back as themselves.

        TrainingError for what is no fitted classifier of the classes 0 and 1 and no regressor, and for one that holds
        something that skops cannot store or this flavour does not trust.
        """
        from skops import io

        from ops_pipelines.adapters.skops_form import canonical

        estimator = _fitted(model)
        try:
            content = canonical(io.dumps(estimator))
            repeated = canonical(io.dumps(self.load(content)))
        except Exception as error:  # whatever the estimator's own __getstate__ raises, and what load refuses
            raise TrainingError(
                f"A {type(estimator).__name__} cannot be stored without pickle: {getattr(error, 'wrong', error)}",
                expected="an estimator of scikit-learn, or one whose own parts are named in `trusted`",
                action="Name them in a subclass of SklearnFlavour, and put a function in a module instead of a lambda",
            ) from error
        if content != repeated:
            raise TrainingError(
                f"A {type(estimator).__name__} does not come back from skops as it was",
                expected="parameters that are numbers, text, lists, and dicts with keys of numbers or text",
                action="Change the parameters of the estimator, or write a flavour of your own",
            )
        return content

    def load(self, content: bytes) -> "BaseEstimator":
        """The estimator of some bytes; ArtefactError for a damaged archive, and for a type that is not trusted."""
        from skops import io

        try:
            trusted = self._trusted_of(content)
            model: BaseEstimator = io.loads(content, trusted=trusted)
        except ArtefactError:
            raise
        except Exception as error:  # damaged bytes reach the __setstate__ of any estimator, which may raise anything
            raise _damaged(content, str(error) or type(error).__name__) from error
        return model

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """The probability of the class 1, or a regressor's value, for each row; extra columns are left out.

        Missing text is what it was when the model was fitted, None or NaN. SchemaMismatch for a missing column, and
        for a value that the estimator does not take. A row scores the same alone as among others: models with matrix
        products score blocks of one size, and forests add up their trees in one thread.
        """
        import numpy as np
        from joblib import parallel_config

        estimator = _fitted(model)
        columns = self._columns(estimator, features)
        try:
            # Threads would add up a forest's trees in another order each time.
            with parallel_config(backend="sequential"):
                scores = [_score(estimator, columns, at) for at in _blocks(estimator, len(features))]
        except (TypeError, ValueError) as error:
            raise SchemaMismatch(
                f"The model cannot score these rows: {error}",
                expected="columns of the types that it was fitted on",
                action="Check the types in the feature service, and how the model treats missing and unknown values",
            ) from error
        return np.concatenate([np.empty(0), *scores])[: len(features)]

    def scorer(self, model: Any) -> Scorer:
        """What `predict` gives, for columns of plain values, to the last digits: matrix products are not filled up.

        What `predict` finds out about the estimator at each call is found out once.
        """
        from joblib import parallel_config

        estimator = _fitted(model)
        names, missing = self.features(estimator), _missing_text(estimator)

        def score(columns: Columns) -> list[float]:
            import numpy as np
            import pandas as pd

            plain = {name: _plain(pd.Series(columns[name]), missing) for name in names}
            rows = len(next(iter(plain.values())))
            with parallel_config(backend="sequential"):
                return _score(estimator, plain, np.arange(rows)).tolist() if rows else []

        return score

    def features(self, model: Any) -> tuple[str, ...]:
        """The columns of the DataFrame that the model was fitted on, in its order."""
        return tuple(map(str, _fitted(model).feature_names_in_))

    def _columns(self, estimator: "BaseEstimator", features: "pd.DataFrame") -> dict[str, "np.ndarray"]:
        missing = _missing_text(estimator)
        columns = {}
        for name in self.features(estimator):
            if name not in features:
                raise SchemaMismatch(
                    f"The column {name!r} is missing, which the model was fitted on",
                    expected=f"the model's columns; given are {', '.join(map(str, features.columns)) or 'none'}",
                    action=near_miss(name, map(str, features.columns)),
                    column=name,
                )
            columns[name] = _plain(features[name], missing)
        return columns

    def _trusted_of(self, content: bytes) -> list[str]:
        """The types that skops would not make by itself, each of which is allowed."""
        from skops import io

        from ops_pipelines.adapters.skops_form import loaders_by_type

        loaders = loaders_by_type(content)
        asked: list[str] = io.get_untrusted_types(data=content)
        for name in asked:
            empty = name in loaders and loaders[name] <= _MADE_EMPTY and name.startswith(_LIBRARIES)
            if not (empty or name in _TRUSTED or name in self.trusted):
                raise ArtefactError(
                    f"The stored model holds {name}, which is not trusted",
                    expected=f"types of {', '.join(library.rstrip('.') for library in _LIBRARIES)}, and those in `trusted`",
                    action="Where it is your own, name it in `trusted` of a subclass of SklearnFlavour; else ask who made it",
                    type=name,
                )
        return asked


def _fitted(model: Any) -> "BaseEstimator":
    """The estimator to store and to score with; TrainingError that says what is wrong with any other thing."""
    import numpy as np
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    estimator = getattr(model, "best_estimator_", model)
    if not isinstance(estimator, BaseEstimator) or not (is_classifier(estimator) or is_regressor(estimator)):
        raise _unfit(model, "is no classifier and no regressor of scikit-learn", "Return the fitted estimator")
    if not hasattr(estimator, "feature_names_in_"):
        raise _unfit(model, "does not know its columns", "Fit it on rows.features, and not on an array made of them")
    if is_classifier(estimator):
        if not np.array_equal(getattr(estimator, "classes_", []), [0, 1]):
            raise _unfit(
                model, "has other classes than 0 and 1", "Fit it on rows.labels as they are, both classes among them"
            )
        if not hasattr(estimator, "predict_proba"):
            raise _unfit(model, "gives no probability", "Wrap it in sklearn.calibration.CalibratedClassifierCV")
    return estimator


def _unfit(model: Any, wrong: str, action: str) -> TrainingError:
    return TrainingError(
        f"A {type(model).__name__} {wrong}",
        expected="a fitted classifier of the classes 0 and 1 with predict_proba, or a fitted regressor",
        action=action,
    )


def _damaged(content: bytes, why: str) -> ArtefactError:
    return ArtefactError(
        f"{len(content)} bytes are no whole scikit-learn model: {why}",
        expected="the archive that SklearnFlavour.dump made",
        action="Restore the object from a backup, or train the release again",
    )


def _blocks(estimator: "BaseEstimator", count: int) -> list["np.ndarray"]:
    """The positions of the rows to score together; what is over in the last block repeats the last row."""
    import numpy as np

    if not count:
        return []
    if all(_is_row_by_row(part) for part in _parts(estimator)):
        return [np.arange(count)]
    starts = range(0, count, _BLOCK)
    return [np.minimum(np.arange(start, start + _BLOCK), count - 1) for start in starts]


def _is_row_by_row(part: "BaseEstimator") -> bool:
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.utils import check_array

    if isinstance(part, FunctionTransformer):  # what `passthrough` becomes, and what trees do with columns of numbers
        return part.func is None or getattr(part.func, "func", None) is check_array
    return type(part).__module__.startswith(_ROW_BY_ROW)


def _score(estimator: Any, columns: dict[str, "np.ndarray"], at: "np.ndarray") -> "np.ndarray":
    import numpy as np
    import pandas as pd
    from sklearn.base import is_classifier

    # Made anew for each block, so that memory is laid out the same way each time: sums depend on that as well.
    block = pd.DataFrame({name: values[at] for name, values in columns.items()})
    if is_classifier(estimator):
        chosen = list(estimator.classes_).index(1)
        return np.asarray(estimator.predict_proba(block)[:, chosen], dtype=float)
    return np.asarray(estimator.predict(block), dtype=float).reshape(len(at))


def _missing_text(estimator: "BaseEstimator") -> float | None:
    """What stands for missing text: NaN where an encoder or an imputer learned text with NaN, else None."""
    for part in _parts(estimator):
        known = [*getattr(part, "categories_", []), *getattr(part, "_known_cats", [])]
        for values in known:
            if values.dtype == object and any(value != value for value in values):  # noqa: PLR0124  (only NaN is not itself)
                return float("nan")
        learned = getattr(part, "statistics_", None)
        if learned is not None and learned.dtype == object and getattr(part, "missing_values", None) is not None:
            return float("nan")
    return None


def _parts(value: Any) -> Any:
    """The estimator and every estimator that it was fitted with."""
    from sklearn.base import BaseEstimator

    if isinstance(value, BaseEstimator):
        yield value
        for name in _HELD:
            yield from _parts(getattr(value, name, None))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _parts(part)


def _plain(values: "pd.Series[Any]", missing: float | None) -> "np.ndarray":
    """A column as numpy's: numbers as they are, or as floats where some are missing; other values as objects."""
    import numpy as np
    import pandas as pd

    if isinstance(values.dtype, np.dtype) and values.dtype != object:
        return values.to_numpy()
    if pd.api.types.is_numeric_dtype(values.dtype):  # pandas' own, booleans too
        return values.to_numpy(dtype=float, na_value=np.nan)
    plain = values.astype(object)
    if pd.api.types.infer_dtype(plain, skipna=True) in ("boolean", "integer", "floating", "mixed-integer-float"):
        return plain.where(plain.notna(), np.nan).to_numpy(dtype=float)
    return plain.where(plain.notna(), missing).to_numpy(dtype=object)
