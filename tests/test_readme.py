"""The README does what it says: its blocks run, in their order, in a copy of the project."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ").split("  #")[0].strip() for line in lines if line.startswith("$ ")]


def test_the_training_function_of_the_readme_fits_a_model_that_the_flavour_takes():
    from ops_pipelines.adapters.flavours import flavour_named
    from ops_pipelines.testing.flavours import example_rows

    (code,) = blocks("python")
    module: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), module)
    booster = module["train"](example_rows(400, seed=1), {}, 0)
    assert flavour_named("lightgbm").dump(booster)


def test_the_map_names_every_room_and_the_table_every_dependency():
    import tomllib

    from packaging.requirements import Requirement

    rooms = [folder.name for folder in (ROOT / "ops_pipelines").iterdir() if (folder / "__init__.py").is_file()]
    assert [room for room in rooms if f"`ops_pipelines/{room}/`" not in README] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    table = README[README.index("## Dependencies") :]
    names = set(re.findall(r"[\w.-]+", table))
    assert [line for line in wanted if Requirement(line).name not in names] == []


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files in another folder, with this environment's packages."""
    folder = tmp_path_factory.mktemp("readme") / "ops_pipelines"
    folder.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    git = ["git", "-c", "user.name=reader", "-c", "user.email=reader@localhost"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a clone"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


def run(command: str, clone: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command as a reader types it in a folder; `make` must not install again, since the environment is shared."""
    words = shlex.split(command)
    if words[0] == "make":
        words[1:1] = ["-o", "install", "-o", ".venv/installed"]
    environment = {
        **os.environ,
        "PATH": f"{clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "OPS_HOME": str(folder / ".ops"),
    }
    if command == "make ui":
        return serve(words, clone, environment)
    if words[-1] == "&":
        return serve_beside(words[:-1], folder, environment)
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=1_500, check=False
    )


SERVERS: list[subprocess.Popen[str]] = []


def serve_beside(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start a server that stays beside the commands after it, and wait until it answers."""
    child = subprocess.Popen(words, cwd=folder, env=environment, text=True, start_new_session=True)
    SERVERS.append(child)
    ready = "http://localhost:8080/v2/health/ready"
    give_up = time.monotonic() + 300
    while time.monotonic() < give_up and child.poll() is None:
        if subprocess.run(["curl", "-sf", ready], capture_output=True, check=False).returncode == 0:
            return subprocess.CompletedProcess(words, 0, "", "")
        time.sleep(0.5)
    return subprocess.CompletedProcess(words, 1, "", "it did not become ready")


def serve(words: list[str], clone: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start, wait until both answer, and press Ctrl-C."""
    log = clone / "ui.log"
    with log.open("w") as output:
        child = subprocess.Popen(
            words, cwd=clone, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        give_up = time.monotonic() + 300
        while "Ctrl-C ends both" not in log.read_text() and child.poll() is None and time.monotonic() < give_up:
            time.sleep(0.5)
        os.killpg(child.pid, signal.SIGINT)
        code = child.wait(120)
    said = log.read_text()
    # make itself reports the interrupt that it was sent, whatever its command answered
    return subprocess.CompletedProcess(words, 0 if "Ctrl-C ends both" in said else code, said, "")


@pytest.fixture
def servers() -> Iterator[None]:
    yield
    for child in SERVERS:
        os.killpg(child.pid, signal.SIGINT)
        child.wait(120)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_commands_of_the_readme_run_in_their_order(clone: Path, servers: None):
    said, folder = {}, clone
    for command in commands():
        if command.startswith("cd "):
            folder = folder / command.removeprefix("cd ")
            continue
        done = run(command, clone, folder)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        said[command] = done.stdout
    story = said["make demo"]
    assert re.search(r"promoted: log loss 0\.\d+ against 0\.\d+ on [\d,]+ flights, gain 0\.\d+ \[", story)
    assert re.search(r"challenger \w+ against \w+\trefused: .*lower bound", story)
    assert re.search(
        r"performance/2013-\d\d-\d\d\t.*One run, .*: promoted, then rolled back; closed .*: its challenger was promoted",
        story,
    )
    stayed = re.search(r"mean log loss ([\d.]+) over the \d+ weeks since, ([\d.]+) had the old one stayed", story)
    assert float(stayed.group(1)) < float(stayed.group(2))
    assert "alarms that a person would call false" in story
    assert "is live again" in story
    assert "the same scores, by the release of that week" in story
    assert re.search(
        r"came from it [\d.]+ s after the pointer's move; [\d,]+ requests under way, 0 failed, 0 mixed", story
    )
    assert re.search(r"a prompt of many more words\trefused: a request costs [\d.]+ times as much as before", story)
    assert "it was read before, and is not read now" in story
    assert "Embedding pin mismatch for corpus 'runbooks'" in story
    assert "no local change: the provider answers" in story
    assert "no local change: the provider moved the score by -" in story
    assert "is live again, and extractive/extractive-1 answers" in story
    assert "1 rollback in the history, by 'oncall, approved by ben'" in story
    assert re.search(r"the run is replayed\tidentical, \d+ steps", story)
    assert "by the loop breaker: the run goes in circles" in story
    assert "denied by provenance: roll_back is forbidden" in story
    assert re.search(r"the traces of \d+ in MLflow, for which no agent waited", story)
    assert int(re.search(r"It took (\d+) seconds", story).group(1)) > 0
    (asked,) = (answer for command, answer in said.items() if "/v1/predict/" in command)
    assert re.search(r'"id":"flight_delay/online/\w+/\w+","score":0\.\d+', asked)
    assert all(
        word in said[".venv/bin/ops why models:/flight_delay/2"]
        for word in ("run ", "commit ", "dataset ", "features ")
    )
