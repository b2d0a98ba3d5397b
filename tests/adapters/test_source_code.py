import sys

import pytest

from ops_pipelines.adapters.source_code import source_of
from ops_pipelines.core.errors import ConfigError


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "a_team_of_two"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "training.py").write_text("from .shared import rate\n")
    (folder / "shared.py").write_text("rate = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("a_team_of_two", None)


def test_a_change_beside_the_function_changes_its_code(package):
    before = source_of("a_team_of_two.training:train")
    (package / "shared.py").write_text("rate = 2\n")
    assert source_of("a_team_of_two.training:train") != before


def test_the_module_is_found_and_not_imported(package):
    (package / "training.py").write_text("raise RuntimeError('imported')\n")
    assert b"imported" in source_of("a_team_of_two.training:train")


@pytest.mark.parametrize("path", ["a_team_of_three.training:train", "a_team_of_two.trainin:train", ":train", ""])
def test_a_module_that_cannot_be_found_is_a_config_error(package, path):
    with pytest.raises(ConfigError, match="cannot be found"):
        source_of(path)
