"""Requests a second, the slowest of a hundred, and CPU: ours, MLflow's server, and a handler written by hand.

All stand at once with one worker each and are asked in turn for the same rows by the same client; the order turns round
by round, and medians count. Before anything is timed, each is asked for every row, and all have to say the same.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.processes import measured
from benchmarks.rows import Row, at_most_times, times_faster, void
from benchmarks.serving_data import SYSTEM, Served, infer_body
from benchmarks.serving_peers import (
    BOOSTER,
    bare_words,
    mlflow_body,
    mlflow_words,
    score_alone,
)
from ops_pipelines.testing.load import load, post, said
from ops_pipelines.testing.servers import Server, free_port, running

OURS, BARE, SIGNED, UNSIGNED = "ours", "a handler by hand", "mlflow serve", "mlflow serve without a signature"
MLFLOW_TIMES, UNSIGNED_TIMES, BARE_TIMES, BARE_CPU_TIMES = 8, 3, 2, 1.5
CLIENTS = 16
_SAME = 1e-12
_HEAD = f"one row a request, {CLIENTS} clients, one worker"


@dataclass(frozen=True, slots=True)
class Turn:
    """One round of one server: seconds a request, the slowest of a hundred, CPU-seconds a request, and what failed."""

    seconds: float
    p99: float
    cpu: float
    failed: int


@dataclass(frozen=True, slots=True)
class Contender:
    """A server, what it is asked, how many of that a round, and where its answer holds the score."""

    server: Server
    requests: Sequence[bytes]
    total: int
    score: Callable[[Any], float]

    def turn(self) -> Turn:
        before = self.server.cpu_seconds()
        found = load(self.server.port, self.requests, clients=CLIENTS, total=self.total)
        cpu = (self.server.cpu_seconds() - before) / self.total
        return Turn(1 / found.rate, found.p99, cpu, found.failed)

    def scores(self) -> list[float]:
        """The score of each row in turn, by one client."""
        found = said(self.server.port, self.requests)
        return [self.score(json.loads(answer.body)) if answer.status == 200 else math.nan for answer in found]


def rate_rows(served: Served, ours: Server, *, rounds: int, total: int) -> Iterator[Row]:
    """The claims about one worker without lookups; one void row where a server answers otherwise, or not at all."""
    with ExitStack() as stack:
        contenders = _contenders(served, ours, stack, total)
        wrong = _answering_otherwise(served, contenders)
        turns = {} if wrong else _turns(contenders, rounds)
    wrong += [name for name, found in turns.items() if any(turn.failed for turn in found)]
    if wrong:
        yield void(_HEAD, f"{MLFLOW_TIMES} x ours <= peer", f"{', '.join(wrong)}: other answers than the model's")
        return
    yield from _against_mlflow(turns)
    yield from _against_a_handler(turns)


def _against_mlflow(turns: Mapping[str, Sequence[Turn]]) -> Iterator[Row]:
    ours, signed, unsigned = (_medians(turns[name]) for name in (OURS, SIGNED, UNSIGNED))
    yield times_faster(
        f"{_HEAD}, against {SIGNED}, s",
        ours.seconds,
        signed.seconds,
        MLFLOW_TIMES,
        note=f"{_rates(ours, signed)}; both check names and types",
    )
    yield times_faster(
        f"{_HEAD}, against {UNSIGNED}, s",
        ours.seconds,
        unsigned.seconds,
        UNSIGNED_TIMES,
        note=f"{_rates(ours, unsigned)}, which checks nothing",
    )
    yield at_most_times(f"{_HEAD}, p99 against {SIGNED}, s", ours.p99, signed.p99, 1)


def _against_a_handler(turns: Mapping[str, Sequence[Turn]]) -> Iterator[Row]:
    ours, bare = _medians(turns[OURS]), _medians(turns[BARE])
    yield at_most_times(f"server's CPU for a request, against {BARE}, CPU-s", ours.cpu, bare.cpu, BARE_CPU_TIMES)
    yield at_most_times(f"{_HEAD}, against {BARE}, s", ours.seconds, bare.seconds, BARE_TIMES, note=_rates(ours, bare))


def _medians(turns: Sequence[Turn]) -> Turn:
    return Turn(
        seconds=median(turn.seconds for turn in turns),
        p99=median(turn.p99 for turn in turns),
        cpu=median(turn.cpu for turn in turns),
        failed=sum(turn.failed for turn in turns),
    )


def _rates(ours: Turn, peer: Turn) -> str:
    return f"{1 / ours.seconds:.0f} a second against {1 / peer.seconds:.0f}"


def _turns(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            turns[name].append(contenders[name].turn())
    return turns


def _contenders(served: Served, ours: Server, stack: ExitStack, total: int) -> dict[str, Contender]:
    import lightgbm as lgb

    booster_file = str(served.boosters[0])
    signed, unsigned = (served.home / name for name in ("mlflow-signed", "mlflow-unsigned"))
    some = served.rows[:20]  # a signature needs no more
    measured("benchmarks.serving_peers:save_for_mlflow", booster_file, some, str(signed), str(unsigned))
    booster = lgb.Booster(model_file=booster_file)
    infer = [post(f"/v2/models/{SYSTEM}/infer", infer_body([row])) for row in served.rows]
    invoke = [post("/invocations", mlflow_body(booster, [row])) for row in served.rows]

    def of_mlflow(folder: Path) -> Contender:
        port = free_port()
        server = stack.enter_context(running(mlflow_words(port, folder), port, "/ping"))
        return Contender(server, invoke, max(total // 10, CLIENTS), _first_prediction)

    port = free_port()
    by_hand = stack.enter_context(running(bare_words(port), port, "/", **{BOOSTER: booster_file}))
    return {
        OURS: Contender(ours, infer, total, _first_output),
        BARE: Contender(by_hand, infer, total, _first_output),
        SIGNED: of_mlflow(signed),
        UNSIGNED: of_mlflow(unsigned),
    }


def _first_output(answer: Any) -> float:
    return float(answer["outputs"][0]["data"][0])


def _first_prediction(answer: Any) -> float:
    return float(answer["predictions"][0])


def _answering_otherwise(served: Served, contenders: Mapping[str, Contender]) -> list[str]:
    """Which servers do not say of every row what the model says without a server."""
    expected = score_alone(served.boosters[0], served.rows)
    return [
        name
        for name, contender in contenders.items()
        if not all(abs(a - b) <= _SAME for a, b in zip(contender.scores(), expected, strict=True))
    ]
