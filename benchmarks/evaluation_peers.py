"""Who evaluates: ours, a bare loop of the SDK and five libraries, each with its own way of asking several at once.

Whatever a library reports to its makers is off. Where its defaults would make it wait (a limit on requests, fewer
connections or workers than are asked at once), they are raised to what the others have.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from benchmarks.evaluators.job import Job, Told
from benchmarks.peer_environments import node_folder_with, python_with
from benchmarks.processes import PeerError

_ROOT = Path(__file__).parents[1]
_SECONDS = 240


@dataclass(frozen=True, slots=True, eq=False)
class Evaluator:
    """Somebody who evaluates; `words` gives the command, and may install first. `settings` are environment variables."""

    name: str
    words: Callable[[], Sequence[str]]
    settings: Mapping[str, str] = field(default_factory=dict)

    def evaluate(self, job: Job) -> Told:
        """What came of a job, done in a new process and with a new folder; PeerError where it is not done."""
        words = self.words()
        with tempfile.TemporaryDirectory() as made:
            told, folder = Path(made) / "told.json", Path(made) / "folder"
            folder.mkdir()
            replace(job, folder=str(folder)).write(Path(made) / "job.json")
            self._run([*words, str(Path(made) / "job.json"), str(told)], folder)
            return Told(**json.loads(told.read_text()))

    def _run(self, words: Sequence[str], folder: Path) -> None:
        home = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        environment = {**os.environ, "PYTHONPATH": str(_ROOT), **home, **self.settings}
        try:
            done = subprocess.run(
                words, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"{self.name} was not done within {_SECONDS} s") from error
        if done.returncode:
            raise PeerError(f"{self.name} failed: {(done.stdout + done.stderr)[-2000:]}")


def ours() -> Evaluator:
    """The project's own evaluation."""
    return Evaluator("ours", lambda: _python(sys.executable, "by_ours"))


def bare_loop() -> Evaluator:
    """The SDK, a semaphore and a comparison."""
    return Evaluator("a bare loop of the SDK", lambda: _python(sys.executable, "by_sdk"))


def pydantic_evals() -> Evaluator:
    return _installed("pydantic-evals", "2.62.0", "by_pydantic_evals")


def deepeval() -> Evaluator:
    return _installed("deepeval", "4.3.1", "by_deepeval", DEEPEVAL_TELEMETRY_OPT_OUT="YES")


def deepeval_judging() -> Evaluator:
    """The same library, which only judges: a bare loop of the SDK has asked before, and traced nothing."""
    found = _installed("deepeval", "4.3.1", "by_deepeval_judging", DEEPEVAL_TELEMETRY_OPT_OUT="YES")
    return replace(found, name=f"{found.name}, judging answers of the bare loop")


def inspect_ai() -> Evaluator:
    return _installed("inspect-ai", "0.3.285", "by_inspect", INSPECT_DISABLE_UPDATE_CHECK="1")


def mlflow_genai(concurrency: int) -> Evaluator:
    settings = {
        "MLFLOW_GENAI_EVAL_MAX_WORKERS": str(concurrency),
        "MLFLOW_GENAI_EVAL_PREDICT_RATE_LIMIT": "0",
        "MLFLOW_GENAI_EVAL_SCORER_RATE_LIMIT": "0",
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(concurrency),
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(concurrency),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return Evaluator(f"mlflow.genai {version('mlflow')}", lambda: _python(sys.executable, "by_mlflow"), settings)


def promptfoo(concurrency: int) -> Evaluator:
    package = "promptfoo@0.121.20"

    def words() -> Sequence[str]:
        script = _ROOT / "benchmarks" / "evaluators" / "by_promptfoo.mjs"
        return [shutil.which("node") or "node", str(script), str(node_folder_with(package))]

    settings = {
        "PROMPTFOO_FETCH_CONNECTIONS": str(concurrency),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    }
    return Evaluator("promptfoo 0.121.20", words, settings)


def _python(interpreter: str, module: str) -> list[str]:
    return [interpreter, "-m", f"benchmarks.evaluators.{module}"]


def _installed(package: str, release: str, module: str, **settings: str) -> Evaluator:
    """A peer in an environment of its own, with the SDK that we have."""
    wanted = f"{package}=={release}", f"openai=={version('openai')}"
    return Evaluator(f"{package} {release}", lambda: _python(python_with(*wanted), module), settings)
