"""An evaluation by ours and by its peers: the same cases through the same provider, whose every answer takes 100 ms.

No evaluation can take less than cases x latency / concurrency, the floor that stands beside each time. Each process is
new, evaluates a few other cases first, and is timed from the first question to the last score: imports, the start of
the process and the making of environments are not counted. Those whose times are near ours take turns with it. An
evaluator that asks less than every case, or finds other answers right than were made so, makes its claim void.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import evaluation_peers as peers
from benchmarks.evaluation_peers import Evaluator
from benchmarks.evaluators.job import Job, Question, Told
from benchmarks.processes import PeerError
from benchmarks.rows import Row, at_most, at_most_times, skipped, times_faster, void
from ops_pipelines.testing.provider import Provider, provider_running
from ops_pipelines.testing.provider_script import ProviderScript, Stage

CASES, QUICK_CASES, SLOW_CASES, CONCURRENCY, LATENCY_MS, MODEL = 1_000, 200, 200, 50, 100, "desk-1"
LOOP_TIMES, SLOWER_TIMES, AGAIN_TIMES = 1.2, 2, 0.1
ROUNDS = 5
_WARM = 10


@dataclass(frozen=True, slots=True)
class Bench:
    """A provider with the number of cases that it is asked."""

    provider: Provider
    count: int

    @property
    def floor(self) -> float:
        """The seconds below which no evaluation can be."""
        return self.count * LATENCY_MS / 1000 / CONCURRENCY

    def turn(self, evaluator: Evaluator, *, again: bool = False) -> Told:
        """One evaluation in a new process; PeerError where it did not do the whole job."""
        self.provider.begin(_SCRIPT)
        warm, cases = _questions("warm", _WARM), _questions("case", self.count)
        told = evaluator.evaluate(Job(self.provider.base_url, MODEL, CONCURRENCY, "", warm, cases, again))
        asked, right = self.provider.count(), sum(case.text == case.expected for case in cases)
        if asked < len(warm) + len(cases):
            raise PeerError(f"{evaluator.name} asked {asked} times for {len(warm) + len(cases)} cases")
        if told.right != right:
            raise PeerError(f"{evaluator.name} found {told.right} answers right, and {right} are")
        return told


def measure() -> Iterator[Row]:
    """All claims, at the size for which they are made."""
    yield from _measure(CASES, ROUNDS)


def measure_quick() -> Iterator[Row]:
    """The same with fewer cases, once each."""
    yield from _measure(QUICK_CASES, 1)


def _measure(count: int, rounds: int) -> Iterator[Row]:
    with provider_running() as provider:
        bench = Bench(provider, count)
        near = [peers.ours(), peers.bare_loop(), peers.pydantic_evals(), peers.deepeval()]
        found = _in_turns(bench, near, rounds)
        yield from _near_rows(bench, found)
        yield from _far_rows(bench, found["ours"])
        yield from _again_rows(bench)
