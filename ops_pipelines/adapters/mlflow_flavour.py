"""Any flavour of MLflow, named `mlflow/xgboost`, `mlflow/catboost`, `mlflow/onnx` and so on, as one archive.

A model is saved by `mlflow.<flavour>.save_model` and loaded by `mlflow.pyfunc`, which runs the module that a model's own
MLmodel file names. So the file is read first: the module has to be MLflow's own of this flavour, no code may come with
the model, and no file may be a pickle. A flavour that saves nothing but pickles cannot be used.

These bytes are no canonical form: dates and ids of MLflow are left out, but what the library itself writes may differ
between two equal fits.
"""

import importlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from ops_pipelines.adapters.archive import pack, unpack
from ops_pipelines.core.errors import ArtefactError, ConfigError, SchemaMismatch, TrainingError, near_miss

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from mlflow.pyfunc import PyFuncModel

_DESCRIPTION, _COLUMNS = "MLmodel", "columns"
_CHANGING = ("model_uuid", "utc_time_created", "run_id", "model_id", "artifact_path")
_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How a zip, gzip, bzip2, xz and zstandard file begins: what is packed inside is not looked at, so none is taken."""


@dataclass(frozen=True, slots=True)
class FittedOn:
    """What a training function returns where a model does not know its columns itself: the model, and their names."""

    model: Any
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that came back: MLflow's pyfunc of it, its columns, and the bytes that it came from."""

    pyfunc: "PyFuncModel"
    columns: tuple[str, ...]
    content: bytes


class MlflowFlavour:
    """The models of one flavour of MLflow, by its name in `mlflow`; ConfigError where it has none of this name."""

    is_canonical: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self._name = name
        self._module = _module(name)

    def dump(self, model: Any) -> bytes:
        """The model's folder as one archive; TrainingError where MLflow cannot save it, or only as a pickle."""
        if isinstance(model, StoredModel):
            return model.content
        columns = self.features(model)
        plain = model.model if isinstance(model, FittedOn) else model
        try:
            files = self._saved(plain)
            self._check(files)
        except Exception as error:  # each library raises its own
            raise TrainingError(
                f"A {type(plain).__name__} cannot be stored by the flavour 'mlflow/{self._name}': {_wrong(error)}",
                expected="a fitted model of this library, which MLflow saves without a pickle",
                action="Name the flavour of the model's own library, or write one (ops_pipelines.mlops.checkpoint.Flavour)",
            ) from error
        return pack({**files, _COLUMNS: "\n".join(columns).encode()})

    def load(self, content: bytes) -> StoredModel:
        """The model of some bytes; ArtefactError for a damaged archive, a pickle, or a model that brings code."""
        try:
            files = unpack(content)
            columns = tuple(files.pop(_COLUMNS).decode().split("\n"))
            self._check(files)
        except (ValueError, KeyError) as error:
            raise self._damaged(content, error) from error
        with _quiet(), tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                file = Path(folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            from mlflow import pyfunc

            try:
                return StoredModel(pyfunc.load_model(folder), columns, content)
            except Exception as error:  # each library raises its own
                raise self._damaged(content, error) from error

    def predict(self, model: Any, features: "pd.DataFrame") -> "np.ndarray":
        """The probability of the positive class, or the value, for each row; SchemaMismatch for a missing column.

        A model with `predict_proba` gives the second of its two columns; any other what its pyfunc predicts, one number
        a row. A model that did not come from bytes is stored and loaded first, to be scored as it will be when it is live.
        """
        import numpy as np

        stored = model if isinstance(model, StoredModel) else self.load(self.dump(model))
        for name in stored.columns:
            if name not in features:
                raise SchemaMismatch(
                    f"The column {name!r} is missing, which the model was fitted on",
                    expected=f"the model's columns; given are {', '.join(map(str, features.columns)) or 'none'}",
                    action=near_miss(name, map(str, features.columns)),
                    column=name,
                )
        if not len(features):
            return np.empty(0)
        scores = _scores(stored, features[list(stored.columns)])
        if scores.shape != (len(features),):
            raise TrainingError(
                f"A model of 'mlflow/{self._name}' gives scores of the shape {scores.shape} for {len(features)} rows",
                expected="one number a row: the probability of the positive class, or the value",
                action="Return a classifier of two classes or a regressor of one value from the training function",
            )
        return scores

    def features(self, model: Any) -> tuple[str, ...]:
        """The columns that the model was fitted on; TrainingError where it does not know them and no FittedOn says so."""
        if isinstance(model, StoredModel | FittedOn):
            return model.columns
        for attribute in ("feature_names_in_", "feature_names_", "feature_names", "feature_name"):
            names = getattr(model, attribute, None)
            names = names() if callable(names) else names
            if names is not None and len(names):
                return tuple(map(str, names))
        raise TrainingError(
            f"A {type(model).__name__} does not know the columns that it was fitted on",
            expected="a fitted model with feature names",
            action="Return ops_pipelines.adapters.mlflow_flavour.FittedOn(model, tuple(columns)) from the training function",
        )

    def _saved(self, model: Any) -> dict[str, bytes]:
        """The files that MLflow writes, by path, without what changes at each save."""
        import mlflow
        import yaml

        with _quiet(), tempfile.TemporaryDirectory() as parent:
            folder = Path(parent, "model")
            # Given requirements keep MLflow from loading the model in a second process to guess them.
            self._module.save_model(model, str(folder), pip_requirements=[f"mlflow=={mlflow.__version__}"])
            files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        description = yaml.safe_load(files[_DESCRIPTION])
        kept = {key: value for key, value in description.items() if key not in _CHANGING}
        return {**files, _DESCRIPTION: yaml.safe_dump(kept).encode()}

    def _check(self, files: dict[str, bytes]) -> None:
        """Raises ValueError for files that could run something else than MLflow's loader of this flavour."""
        import yaml

        try:
            flavours = dict(yaml.safe_load(files[_DESCRIPTION])["flavors"])
            loader = flavours["python_function"]["loader_module"]
            code = [settings.get("code") for settings in flavours.values()]
        except (yaml.YAMLError, TypeError, AttributeError) as error:
            raise ValueError(f"its {_DESCRIPTION} cannot be read") from error
        if loader != f"mlflow.{self._name}" or not flavours.keys() <= {"python_function", self._name}:
            raise ValueError(f"it is loaded by {loader!r} as {', '.join(map(str, flavours))}")
        if any(code):
            raise ValueError(f"it brings code of its own, in {next(filter(None, code))!r}")
        for name, data in files.items():
            if data.startswith(_PACKED) or _is_pickle(data):
                raise ValueError(f"{name!r} is a pickle, or may hold one")

    def _damaged(self, content: bytes, error: Exception) -> ArtefactError:
        return ArtefactError(
            f"{len(content)} bytes are no model of the flavour 'mlflow/{self._name}': {_wrong(error)}",
            expected="the archive that MlflowFlavour.dump made",
            action="Restore the object from a backup, or train the release again",
        )


def _module(name: str) -> ModuleType:
    with _quiet():
        try:
            if not name.isidentifier() or name == "pyfunc":
                raise ModuleNotFoundError(f"{name!r} is no library")
            module = importlib.import_module(f"mlflow.{name}")
            if not callable(getattr(module, "save_model", None)):
                raise ModuleNotFoundError(f"mlflow.{name} saves no models")
        except ImportError as error:
            raise ConfigError(
                f"The flavour 'mlflow/{name}' cannot be used: {error}",
                expected="mlflow/ and the name of a flavour of MLflow whose library is installed",
                action="Check the spelling, or install the library that it needs",
                flavour=f"mlflow/{name}",
            ) from error
    return module


def _scores(stored: StoredModel, features: "pd.DataFrame") -> "np.ndarray":
    import numpy as np

    native = stored.pyfunc.get_raw_model()
    if not hasattr(native, "predict_proba"):
        values = np.asarray(stored.pyfunc.predict(features), dtype=float)
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    both = np.asarray(native.predict_proba(features), dtype=float)
    return both[:, 1] if both.ndim == 2 and both.shape[1] == 2 else both


def _is_pickle(data: bytes) -> bool:
    """Whether bytes begin as a pickle: with the header of protocol 2 on, or with opcodes that import something.

    Without an import nothing is called. It need not be whole: what stands before an error has been run.
    """
    import pickletools

    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    try:
        for operation, argument, _ in pickletools.genops(data):
            if operation.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                return True
            # "channels:" of a YAML file begins as an import too, of what cannot be a module.
            if operation.name in ("GLOBAL", "INST") and re.sub(r"[ .]", "", str(argument)).isidentifier():
                return True
    except (ValueError, IndexError, OverflowError):
        return False
    return False


def _wrong(error: Exception) -> str:
    return str(getattr(error, "wrong", error)).partition("\n")[0] or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow warns of its own parts while it is imported, saves and loads."""
    import logging
    import os
    import warnings

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
    level = logging.getLogger("mlflow").level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        try:
            yield
        finally:
            logging.getLogger("mlflow").setLevel(level)
