"""An agent's policy as files of a folder: `*.cedar`, and `freezes.yaml` with the spans in which nothing is to change.

- name: release week
  start: 2026-03-02T00:00:00+00:00
  end: 2026-03-09T00:00:00+00:00
"""

from pathlib import Path
from typing import Any

from ops_pipelines.agentops.freeze import Freeze
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.core.errors import ConfigError

FREEZES = "freezes.yaml"


def policy_in(folder: Path) -> Policy:
    """The policy of a folder; ConfigError where there is none, or a file cannot be used."""
    return Policy(texts_in(folder), freezes_in(folder))


def texts_in(folder: Path) -> dict[str, str]:
    """The texts of a folder by the names of their files; ConfigError where there is none, or one cannot be read."""
    texts = {file.name: _read(folder, file) for file in sorted(folder.glob("*.cedar"))}
    if not texts:
        raise _unusable(folder, "there is no .cedar file")
    return texts


def freezes_in(folder: Path) -> tuple[Freeze, ...]:
    """The freezes of a folder; empty where it names none, ConfigError where they cannot be used."""
    text = _read(folder, folder / FREEZES) if (folder / FREEZES).exists() else ""
    return tuple(Freeze.from_json(record) for record in _records(folder, text))


def _read(folder: Path, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(folder, str(error)) from error


def _records(folder: Path, text: str) -> list[dict[str, Any]]:
    import yaml

    try:
        # Instants stay texts: YAML would drop the time zone of one, and with it when a freeze holds.
        read = yaml.load(text, Loader=yaml.BaseLoader) or []
    except yaml.YAMLError as error:
        raise _unusable(folder, f"{FREEZES}: {error}") from error
    if not isinstance(read, list) or not all(isinstance(record, dict) for record in read):
        raise _unusable(folder, f"{FREEZES} is no list of freezes")
    return read


def _unusable(folder: Path, why: str) -> ConfigError:
    return ConfigError(
        f"The policy in {folder} cannot be used: {why}",
        expected=f"a folder of *.cedar files, and where wanted {FREEZES}",
        action="Correct it: without a policy nothing is allowed",
        folder=str(folder),
    )
