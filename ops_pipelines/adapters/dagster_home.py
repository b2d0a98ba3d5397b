"""Dagster's home under OPS_HOME: its settings file, and what a process must have in its environment before it starts.

Imports nothing of Dagster, so that commands which only start or find it stay quick.
"""

import json
import os
from pathlib import Path

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.adapters.project import Project

QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "FEAST_USAGE": "False",
    "DO_NOT_TRACK": "1",
}
"""What keeps the libraries from reporting home."""


def prepare(project: Project) -> dict[str, str]:
    """Writes Dagster's settings, and returns the environment in which Dagster and MLflow run for this project."""
    home = project.home / "dagster"
    write_dagster_yaml(home)
    return {**os.environ, **QUIET, "OPS_HOME": str(project.home), "DAGSTER_HOME": str(home)}


def write_dagster_yaml(home: Path) -> None:
    """Writes home/dagster.yaml for this daemon and the web server alike; leaves equal content untouched."""
    home = Path(home).resolve()
    home.mkdir(parents=True, exist_ok=True)
    # One event database for all runs: the default makes (and migrates) a new file for each run.
    storage = {"module": "dagster._core.storage.event_log", "class": "ConsolidatedSqliteEventLogStorage"}
    settings = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "event_log_storage": storage | {"config": {"base_dir": str(home / "events")}},
    }
    # JSON is YAML, and json quotes a path with odd characters correctly.
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
    target = home / "dagster.yaml"
    if target.exists() and target.read_text(encoding="utf-8") == text:
        return
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")
