"""What `dg scaffold defs ops_pipelines.components.<Component> NAME` and `ops new` write: a folder that loads, to fill in.

The folder may lie in any project's defs: import paths are made from where it lies and not from the name of this package.
"""

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import dagster as dg

from ops_pipelines.core.errors import ConfigError


def module_of(folder: Path, project_root: Path | None) -> str:
    """The import path of a folder in a project, whose packages lie in src/ or, where there is none, in its root.

    Without a root it is the nearest folder upwards that has a pyproject.toml. ConfigError for a folder outside.
    """
    folder = folder.resolve()
    root = project_root.resolve() if project_root else _root_around(folder)
    base = root / "src" if (root / "src").is_dir() else root
    if not folder.is_relative_to(base) or folder == base:
        raise ConfigError(
            f"{folder} cannot be imported",
            expected=f"a folder inside {base}",
            action="Check [tool.dg.project] defs_module in pyproject.toml",
        )
    return ".".join(folder.relative_to(base).parts)


def _root_around(folder: Path) -> Path:
    return next((above for above in folder.parents if (above / "pyproject.toml").is_file()), folder.parent)


class _OpsScaffolder(dg.Scaffolder[Any]):
    """Writes defs.yaml, and code beside it where the component needs some."""

    yaml: str
    code: tuple[str, str] | None = None

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        folder = Path(request.target_path)
        module = module_of(folder, request.project_root)
        name = folder.name.replace("-", "_")  # dg takes a hyphen, and an asset's key does not
        folder.mkdir(parents=True, exist_ok=True)
        attributes = indent(dedent(self.yaml).format(name=name, module=module), "  ")
        (folder / "defs.yaml").write_text(f"type: {request.type_name}\nattributes:\n{attributes}")
        if self.code:
            file, text = self.code
            (folder / "__init__.py").touch()
            (folder / file).write_text(dedent(text).format(name=name))


class DatasetScaffolder(_OpsScaffolder):
    """A dataset with a loader to fill in."""

    yaml = """\
      name: {name}
      loader: {module}.loader:load
      weekly: {{start: "2013-01-01", end: "2013-12-31"}}
      key: id
      time_column: known_at
      columns:
        id: string
        known_at: timestamp
        value: float? 0..100
    """
    code = (
        "loader.py",
        '''\
        """Where the rows of {name} come from."""

        from datetime import datetime

        import pandas as pd


        def load(start: datetime, end: datetime) -> pd.DataFrame:
            """The rows that became known from `start` (included) to `end` (excluded)."""
            return pd.DataFrame({{"id": ["first"], "known_at": [start], "value": [1.0]}})
        ''',
    )


class FeatureSetScaffolder(_OpsScaffolder):
    """A feature set over a feature service of feature_repo/."""

    yaml = """\
      name: {name}
      service: flight_delay # a FeatureService of feature_repo/
      weekly: {{start: "2013-01-01", end: "2013-12-31"}}
      datasets: [flights, weather, aircraft, carrier_delays, route_delays, origin_delays] # what the service's views read
      health: {{dataset: flights, asked_at: asked_at}} # whose features are compared each week, offline against online
    """


class ModelScaffolder(_OpsScaffolder):
    """A model with a training function to fill in, over the reference features and labels."""

    yaml = """\
      name: {name}
      train: {module}.training:train
      flavour: lightgbm
      weekly: {{start: "2013-01-01", end: "2013-12-31"}}
      entities: {{dataset: flights, key: flight_id, asked_at: asked_at}}
      labels: {{dataset: landings, column: late, known_at: landed_at}}
      features: flight_features
    """
    code = (
        "training.py",
        '''\
        """How {name} is fitted."""

        from collections.abc import Mapping
        from typing import Any

        from ops_pipelines.mlops.training import Rows


        def train(rows: Rows, params: Mapping[str, Any], seed: int) -> Any:
            """A model fitted on `rows.features` (one column a feature) and `rows.labels` (0 or 1)."""
            import lightgbm

            fixed = {{"objective": "binary", "deterministic": True, "force_row_wise": True, "verbose": -1, "seed": seed}}
            features = rows.features.select_dtypes("number")
            return lightgbm.train(fixed | dict(params), lightgbm.Dataset(features, rows.labels), num_boost_round=50)
        ''',
    )


class AlarmsScaffolder(_OpsScaffolder):
    """An inbox over the reference model."""

    yaml = """\
      name: {name}
      systems: [flight_delay] # models whose performance and drift are watched
      weekly: {{start: "2013-01-01", end: "2013-12-31"}}
    """
