"""The files of a new project around this package, by path: everything that its first `dg check defs` needs."""

from importlib.metadata import distributions, version


def project_files(package: str) -> dict[str, str]:
    """Settings, lock, workspace, a package with an empty defs, a feature repo, a test and a page of what to do next."""
    texts = {
        "pyproject.toml": PYPROJECT,
        "workspace.yaml": WORKSPACE,
        ".gitignore": GITIGNORE,
        "README.md": README,
        f"{package}/__init__.py": PACKAGE,
        f"{package}/definitions.py": DEFINITIONS,
        f"{package}/defs/__init__.py": DEFS,
        "feature_repo/feature_store.yaml": FEATURE_STORE,
        "tests/test_definitions.py": TEST,
    }
    here = {"package": package, "distribution": package.replace("_", "-"), "version": version("ops-pipelines")}
    return {path: text.format_map(here) for path, text in texts.items()} | {"requirements.lock": installed()}


def installed() -> str:
    """A lock file of what is installed in this environment: a name and a version a line, without hashes.

    A release's manifest holds its digest. A lock with hashes, made by a resolver, may take its place at any time.
    """
    pins = {
        found.name.lower().replace("_", "-"): found.version for found in reversed(list(distributions())) if found.name
    }
    return "".join(f"{name}=={pins[name]}\n" for name in sorted(pins))


PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "0.1.0"
requires-python = ">=3.11,<3.14"
dependencies = ["ops-pipelines=={version}"]

[project.optional-dependencies]
dev = ["pytest"]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]

# Where `ops` finds its things, from here: home = ".ops", feature_repo = "feature_repo", lock = "requirements.lock".
[tool.ops]

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{package}"

[tool.dg.cli]
suppress_warnings = ["project_and_activated_venv_mismatch"]

[tool.dg.cli.telemetry]
enabled = false

[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
filterwarnings = ["ignore::DeprecationWarning:dagster.*"]
"""
WORKSPACE = """\
# What `ops ui` and the daemon load; one code location an owner, each with a module like {package}.definitions.
load_from:
  - python_module: {{module_name: {package}.definitions, location_name: {package}, working_directory: .}}
"""
GITIGNORE = """\
.venv/
.ops/
__pycache__/
.pytest_cache/
dist/
"""
README = """\
# {package}

Data, features, models, prompts and agents on ops_pipelines. `{package}/defs/` holds one folder for each of them,
`feature_repo/` the features, `evals/` what prompts and agents are judged by, `.ops/` (or `OPS_HOME`) all state.
`requirements.lock` says what is installed, and is part of every release: write it anew whenever that changes
(`uv pip freeze > requirements.lock`, or a resolver's lock with hashes).

```console
$ ops new dataset ROWS && ops new dataset OUTCOMES    # what is scored, and what came of it: a loader each
$ ops new feature-set FEATURES --of ROWS
$ ops new model MODEL --rows ROWS --labels OUTCOMES --features FEATURES    # --task regression
```

A prompt and an agent are written so as well, and both run as they are:

```console
$ ops new prompt PROMPT && ops new agent AGENT
$ ops materialize '+key:"AGENT/release"' --strict
$ ops agent run AGENT --task '{{"item": "bolts"}}'
```

`dg check defs`, `ops doctor` and `pytest` say whether it holds together. By hand, or in CI (`--strict`: any check that
failed or never ran is an error), a few weeks are made, and a model is trained, gated and promoted:

```console
$ ops materialize 'key:"FEATURES/definitions"' --strict
$ ops materialize 'key:"ROWS" or key:"OUTCOMES" or key:"FEATURES/online"' --partition WEEK..WEEK --strict
$ ops materialize 'key:"MODEL/training_set"+2' --partition WEEK --strict
$ ops releases MODEL
```

By itself it goes on with `OPS_AUTOMATION=on ops ui`: weeks arrive, are scored and judged, and models trained again.
"""
PACKAGE = '"""The data, features and models of {package}."""\n'
DEFS = '"""One folder for each dataset, feature set and model: its defs.yaml, and the code beside it."""\n'
DEFINITIONS = '''\
"""Everything that {package} declares, as one code location: what `dg`, `ops` and workspace.yaml load."""

import {package}.defs
from ops_pipelines.components.house import load_tree

defs = load_tree({package}.defs)
'''
FEATURE_STORE = """\
# Where Feast keeps its state: under OPS_HOME. `ops` sets it; for the `feast` command line, export it as an absolute path.
project: {package}
provider: local
registry:
  path: ${{OPS_HOME}}/features/registry.db
  # A process reads the registry once, under a lock: Feast writes the file in place, and a half-written one can be seen.
  cache_mode: thread
  cache_ttl_seconds: 0
online_store:
  type: sqlite
  path: ${{OPS_HOME}}/features/online.db
offline_store:
  type: duckdb
entity_key_serialization_version: 3
"""
TEST = '''\
"""What is declared loads, and reads nothing that nobody declares."""

from {package}.definitions import defs


def test_every_asset_that_is_read_is_declared():
    graph = defs.resolve_asset_graph()
    assert sorted(graph.external_asset_keys) == []
'''
