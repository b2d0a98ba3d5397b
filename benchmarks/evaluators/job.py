"""What an evaluator is told to do, and what it tells: JSON files, since it runs in an environment of its own.

python -m benchmarks.evaluators.by_sdk JOB TOLD
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Question:
    """What is asked, and the text that the answer has to be."""

    id: str
    text: str
    expected: str


@dataclass(frozen=True)
class Job:
    """An evaluation: `warm` pays for what only the first use of a library costs, then `cases` are timed.

    `folder` is for whatever an evaluator keeps. Where `again` is asked for, the cases are evaluated a second time with
    what the evaluator kept of the first.
    """

    base_url: str
    model: str
    concurrency: int
    folder: str
    warm: Sequence[Question]
    cases: Sequence[Question]
    again: bool = False

    def write(self, file: Path) -> None:
        """The job as a file."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> "Job":
        """The job that `write` wrote."""
        record = json.loads(file.read_text())
        kinds = {kind: tuple(Question(**one) for one in record[kind]) for kind in ("warm", "cases")}
        return cls(**{**record, **kinds})


@dataclass(frozen=True)
class Told:
    """The seconds and the CPU-seconds of the timed cases, how many were right, and the seconds of doing it again."""

    seconds: float
    cpu_seconds: float
    right: int
    again_seconds: float | None = None


Evaluate = Callable[[Job, Sequence[Question]], int]
"""Asks and scores some cases, and says how many were right."""


def main(evaluate: Evaluate) -> None:
    """Does the job that the command line names and writes what came of it."""
    job, told = Job.read(Path(sys.argv[1])), Path(sys.argv[2])
    evaluate(job, job.warm)
    began, cpu = time.perf_counter(), time.process_time()
    right = evaluate(job, job.cases)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    again = _again(job, evaluate, right) if job.again else None
    told.write_text(json.dumps(asdict(Told(seconds, cpu_seconds, right, again))))


def _again(job: Job, evaluate: Evaluate, right: int) -> float:
    began = time.perf_counter()
    if evaluate(job, job.cases) != right:
        raise SystemExit("evaluated again, other cases were right")
    return time.perf_counter() - began
