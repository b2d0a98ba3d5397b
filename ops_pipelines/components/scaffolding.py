"""What `dg scaffold defs ops_pipelines.components.<Component> NAME` writes: a folder that loads, to be filled in."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import dagster as dg


class _OpsScaffolder(dg.Scaffolder[Any]):
    """Writes defs.yaml, and code beside it where the component needs some."""

    yaml: str
    code: tuple[str, str] | None = None

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        folder = Path(request.target_path)
        folder.mkdir(parents=True, exist_ok=True)
        module = ".".join(("ops_pipelines", *folder.parts[folder.parts.index("defs") :]))
        attributes = dedent(self.yaml).format(name=folder.name, module=module)
        (folder / "defs.yaml").write_text(f"type: {request.type_name}\nattributes:\n{attributes}")
        if self.code:
            name, text = self.code
            (folder / "__init__.py").touch()
            (folder / name).write_text(dedent(text).format(name=folder.name))


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
      service: flight_delay
      weekly: {{start: "2013-01-01", end: "2013-12-31"}}
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
