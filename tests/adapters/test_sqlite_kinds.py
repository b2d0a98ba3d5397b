"""Every kind of SQLite file has a mark of its own, by which one is refused where another belongs."""

import importlib
import pkgutil

from ops_pipelines import adapters
from ops_pipelines.adapters.sqlite_file import SQLiteFile


def test_no_two_kinds_of_file_have_one_mark():
    for module in pkgutil.iter_modules(adapters.__path__):
        if module.name.startswith("sqlite_") or module.name.endswith("_file"):
            importlib.import_module(f"ops_pipelines.adapters.{module.name}")
    kinds = [kind for kind in SQLiteFile.__subclasses__() if kind.__module__.startswith("ops_pipelines.")]
    marks = {kind.application_id for kind in kinds}
    assert len(kinds) > 5
    assert (len(marks), 0 in marks) == (len(kinds), False)
