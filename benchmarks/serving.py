"""`ops serve` measured from outside: against other servers of the same model, with features looked up, and under way.

One home serves all parts. Everything listens on loopback, and what was started is ended.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import Row
from benchmarks.serving_data import SYSTEM, Served, make_served
from benchmarks.serving_lookup import lookup_rows
from benchmarks.serving_rates import rate_rows
from benchmarks.serving_swaps import swap_rows
from ops_pipelines.testing.servers import Server, free_port, running
from ops_pipelines.testing.serving import serve_words


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked: rounds, requests a round (of MLflow a tenth), lookups a round, and moves of the pointer."""

    rounds: int
    requests: int
    lookups: int
    moves: int


def measure() -> Iterator[Row]:
    """Every claim; takes some three minutes."""
    yield from _measure(Size(rounds=7, requests=3_000, lookups=1_000, moves=20))


def measure_quick() -> Iterator[Row]:
    """Every claim on a few hundred requests."""
    yield from _measure(Size(rounds=1, requests=400, lookups=200, moves=3))


def _measure(size: Size) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as made:
        served = make_served(Path(made) / "home")
        with serving(served, workers=1) as ours:
            yield from rate_rows(served, ours, rounds=size.rounds, total=size.requests)
            yield from lookup_rows(served, ours, rounds=size.rounds, total=size.lookups)
        with serving(served, workers=2) as ours:
            yield from swap_rows(served, ours, moves=size.moves)


@contextmanager
def serving(served: Served, *, workers: int) -> Iterator[Server]:
    """`ops serve` on a home, once it answers."""
    port = free_port()
    words = serve_words(SYSTEM, "--port", str(port), "--workers", str(workers))
    with running(words, port, "/v2/health/ready", OPS_HOME=str(served.home)) as ours:
        yield ours
