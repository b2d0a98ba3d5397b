import os
import shutil
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.core.errors import ConfigError


@pytest.mark.parametrize("text", ["def broken(:\n", "\nimport nowhere_to_be_found\n", "x = 1\nx.y\n"])
def test_a_file_that_cannot_be_loaded_is_named_and_leaves_the_registry_alone(store, text):
    before = store.service("monitor")
    (store.project.feature_repo / "extra.py").write_text(text)
    with pytest.raises(ConfigError, match=r"extra\.py:\d cannot be loaded"):
        store.apply()
    assert store.service("monitor") == before


@pytest.mark.parametrize("missing", ["feature_store.yaml", "."])
def test_a_project_without_a_feature_repo_is_told_what_to_add(project, missing):
    target = project.feature_repo / missing
    target.unlink() if target.is_file() else shutil.rmtree(project.feature_repo)
    with pytest.raises(ConfigError, match=r"The project has no .*Add it"):
        FeastStore(project).apply()


@pytest.mark.parametrize("text", ["project: [", "- a list", "project: x\noffline_store: {type: nowhere}\n"])
def test_settings_that_feast_cannot_read_are_a_config_error(project, text):
    (project.feature_repo / "feature_store.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"feature_store\.yaml cannot be used"):
        FeastStore(project).apply()


def test_two_repos_in_one_process_do_not_see_each_other(make_project, change):
    first, second = FeastStore(make_project("first")), FeastStore(make_project("second"))
    for stem in ("sensors", "services"):
        change(second.project, stem, "level", "height")
    first.apply()
    second.apply()
    assert (first.service("levels").features, second.service("heights").features) == (("level",), ("height",))


def test_applying_leaves_the_process_as_it_was(project, monkeypatch, capfd):
    monkeypatch.setenv("OPS_HOME", "somewhere/else")
    monkeypatch.setitem(sys.modules, "sensors", os)
    before = (Path.cwd(), list(sys.path), sys.dont_write_bytecode)
    FeastStore(project).apply()
    assert (Path.cwd(), list(sys.path), sys.dont_write_bytecode) == before
    assert (os.environ["OPS_HOME"], sys.modules["sensors"], "services" in sys.modules) == ("somewhere/else", os, False)
    assert capfd.readouterr() == ("", "")
