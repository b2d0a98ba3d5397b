"""The rules that no single room can hold: what loads what, what is locked, and what `dg` says of the whole."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCATIONS = sorted(file.stem for file in (ROOT / "ops_pipelines" / "locations").glob("[!_]*.py"))
LIBRARIES = (
    *("mlflow", "feast", "evidently", "lightgbm", "sklearn", "lancedb", "bm25s"),
    *("openai", "fastmcp", "pydantic_ai", "opentelemetry"),
)
VENDORS = ("dagster", *LIBRARIES, "genai_prices", "detect_secrets", "sqlite3", "typer")
LOADED = "import sys; print([name for name in {names} if name in sys.modules])"
INDEXES = ("pypi", "index-url", "find-links")
UNFINISHED = ("TO" + "DO", "FIX" + "ME")


def python(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, *words, cwd=cwd, **environment)


def run(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words, cwd=cwd, env={**os.environ, "PATH": path, **environment}, capture_output=True, text=True, check=False
    )


def modules(room: str) -> list[str]:
    files = (ROOT / "ops_pipelines" / room).rglob("*.py")
    return sorted(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files)


def tracked() -> list[Path]:
    listed = run("git", "ls-files", "-z")
    if listed.returncode:
        pytest.skip("not in a git repository")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_loads_without_the_heavy_libraries_and_without_a_warning(location, tmp_path):
    code = f"import ops_pipelines.locations.{location}; {LOADED.format(names=LIBRARIES)}"
    done = python("-W", "default", "-c", code, OPS_HOME=str(tmp_path / "home"))
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    assert [line for line in done.stderr.splitlines() if "Warning" in line and "site-packages" not in line] == []
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("room", ["core", "llmops", "mlops", "agentops"])
def test_the_domain_knows_no_orchestrator_and_no_vendor(room):
    imports = "; ".join(f"import {module}" for module in modules(room))
    done = python("-c", f"{imports}; {LOADED.format(names=VENDORS)}")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_tests_of_the_domain_import_no_dagster():
    collect = (
        "import pytest, sys; code = pytest.main(['--collect-only', '-q', 'tests/core', 'tests/llmops', 'tests/mlops'])"
    )
    done = python("-c", f"{collect}; {LOADED.format(names=['dagster'])}; sys.exit(code)")
    assert done.returncode == 0, done.stdout[-2000:]
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_lock_names_no_address_and_has_a_hash_for_every_pin():
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.split(r"\n(?=[\w])", lock)
    assert len(pins) > 100
    assert [pin.splitlines()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []
    assert "://" not in lock
    assert [line for line in lock.splitlines() if line.startswith("-")] == []


# The extra `embeddings` needs a build of torch that a person chooses, and the lock installs for everybody.
def test_the_lock_pins_every_dependency_at_a_version_that_it_allows():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    versions = {pin.name: str(pin.specifier).removeprefix("==") for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {name: lines for name, lines in project["optional-dependencies"].items() if name != "embeddings"}
    extras = [line for lines in locked.values() for line in lines]
    wanted = [Requirement(line) for line in [*project["dependencies"], *extras]]
    assert [str(one) for one in wanted if not one.specifier.contains(versions.get(one.name, "0"))] == []


def test_the_workspace_names_every_location_module():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    named = {entry["python_module"]["location_name"]: entry["python_module"] for entry in workspace["load_from"]}
    assert sorted(named) == LOCATIONS
    assert [one["module_name"] for _, one in sorted(named.items())] == [
        f"ops_pipelines.locations.{n}" for n in LOCATIONS
    ]


def test_no_tracked_file_names_a_package_index_or_leaves_work_for_later():
    found = []
    for file in tracked():
        text = file.read_bytes().decode(errors="ignore")
        addresses = re.findall(r"https?://[^\s\"')>]+", text)
        found += [f"{file.name}: {address}" for address in addresses if any(index in address for index in INDEXES)]
        found += [f"{file.name}: {word}" for word in UNFINISHED if re.search(rf"\b{word}\b", text)]
    assert found == []


@pytest.mark.parametrize("words", [("check", "yaml"), ("check", "defs"), ("list", "defs")], ids=" ".join)
def test_dg_finds_nothing_wrong(words, tmp_path):
    done = run("dg", *words, OPS_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stdout + done.stderr
