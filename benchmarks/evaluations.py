"""An evaluation by ours and by its peers: the same cases through the same provider, whose every answer takes 100 ms.

No evaluation can take less than cases x latency / concurrency, the floor that stands beside each time. Each process is
new, evaluates a few other cases first, and is timed from the first question to the last score: imports, the start of
the process and the making of environments are not counted. Those whose times are near ours take turns with it. An
evaluator that asks less than every case, or finds other answers right than were made so, makes its claim void.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks import evaluation_peers as peers
from benchmarks.evaluation_peers import Evaluator
from benchmarks.evaluators.job import Job, Question, Told
from benchmarks.processes import PeerError
from benchmarks.rows import Row, at_most, at_most_times, skipped, void
from ops_pipelines.testing.provider import Provider, provider_running
from ops_pipelines.testing.provider_script import ProviderScript, Stage

CASES, QUICK_CASES, CONCURRENCY, LATENCY_MS, MODEL = 1_000, 200, 50, 100, "desk-1"
SLOW_SHARE = 5
"""The slowest peer is asked one case in so many, and its seconds are multiplied."""
LOOP_TIMES, SLOWER_TIMES, AGAIN_TIMES = 1.2, 2, 0.1
ROUNDS, FAR_ROUNDS, WARM = 5, 1, 10
_SCRIPT = ProviderScript(stages=(Stage(latency_ms=LATENCY_MS),))


class OtherJobError(PeerError):
    """An evaluator that did not do what the others did."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A provider, and how many cases it is asked."""

    provider: Provider
    count: int

    @property
    def head(self) -> str:
        """What all times are of, with the seconds below which no evaluation can be."""
        floor = self.count * LATENCY_MS / 1000 / CONCURRENCY
        return f"evaluation of {self.count:,} cases, {CONCURRENCY} at once, floor {floor:.1f} s"

    def turn(self, evaluator: Evaluator, *, share: int = 1, again: bool = False) -> Told:
        """One evaluation of one case in `share`; PeerError where it fails, OtherJobError where it is not the whole job."""
        self.provider.begin(_SCRIPT)
        warm, cases = questions("warm", WARM), questions("case", self.count // share)
        told = evaluator.evaluate(Job(self.provider.base_url, MODEL, CONCURRENCY, "", warm, cases, again))
        asked, wanted = self.provider.count(), len(warm) + len(cases)
        right = sum(case.text == case.expected for case in cases)
        if asked < wanted or told.right != right:
            raise OtherJobError(f"asked {asked} of {wanted} times, and found {told.right} of {right} right")
        return told

    def asked_again(self) -> int:
        """How many requests there were beyond those of one evaluation."""
        return self.provider.count() - WARM - self.count


def questions(name: str, count: int) -> tuple[Question, ...]:
    """Made-up cases; the provider answers with the question, which one case in ten does not expect."""
    texts = [f"Say {name}-{number}." for number in range(count)]
    return tuple(
        Question(f"{name}-{number}", text, text if number % 10 else "something else")
        for number, text in enumerate(texts)
    )


def measure() -> Iterator[Row]:
    """All claims, at the size for which they are made."""
    yield from _measure(CASES, ROUNDS, FAR_ROUNDS)


def measure_quick() -> Iterator[Row]:
    """The same with fewer cases, once each."""
    yield from _measure(QUICK_CASES, 1, 1)


def _measure(count: int, rounds: int, far_rounds: int) -> Iterator[Row]:
    with provider_running() as provider:
        bench = Bench(provider, count)
        ours, near = peers.ours(), _near()
        turns = {one.name: _Turns() for one in (ours, *near)}
        for number in range(rounds):
            for one in (ours, *near)[:: -1 if number % 2 else 1]:
                turns[one.name].take(bench, one)
        own = turns[ours.name]
        for other, times in near.items():
            yield own.row(bench, other.name, turns[other.name], times)
        for far, share in _far():
            found = _Turns(share)
            for _ in range(1 if share > 1 else far_rounds):
                found.take(bench, far)
            yield own.row(bench, far.name, found, 1 / SLOWER_TIMES)
        yield from _again(bench)


def _near() -> dict[Evaluator, float]:
    """Those whose times are near the bound on them, and so take turns with ours; with how many times theirs ours may be."""
    return {peers.bare_loop(): LOOP_TIMES, peers.pydantic_evals(): 1, peers.deepeval_judging(): 1}


def _far() -> tuple[tuple[Evaluator, int], ...]:
    """The peers that take several times what ours takes, and what share of the cases each is asked."""
    return (
        (peers.deepeval(), 1),
        (peers.promptfoo(CONCURRENCY), 1),
        (peers.inspect_ai(), 1),
        (peers.mlflow_genai(CONCURRENCY), SLOW_SHARE),
    )


class _Turns:
    """The turns of one evaluator, or why there are none."""

    def __init__(self, share: int = 1) -> None:
        self.share, self.told = share, list[Told]()
        self.failure: PeerError | None = None

    def take(self, bench: Bench, evaluator: Evaluator) -> None:
        """One more turn, unless one has failed."""
        if self.failure is None:
            try:
                self.told.append(bench.turn(evaluator, share=self.share))
            except PeerError as failure:
                self.failure = failure

    @property
    def seconds(self) -> float:
        return self.share * median(told.seconds for told in self.told)

    @property
    def cpu_ms(self) -> float:
        return self.share * median(told.cpu_seconds for told in self.told) * 1000

    def row(self, bench: Bench, peer: str, other: "_Turns", times: float) -> Row:
        """The claim that these take at most so many times what a peer's take."""
        name = f"{bench.head}, against {peer}, s"
        for turns in (self, other):
            if isinstance(turns.failure, OtherJobError):
                return void(name, f"ours <= {times:g} x peer", str(turns.failure))
            if turns.failure is not None:
                return skipped(name, str(turns.failure).strip().splitlines()[-1])
        cpu = f"CPU {self.cpu_ms / bench.count:.1f} ms a case against {other.cpu_ms / bench.count:.1f}"
        scaled = f", scaled from one case in {other.share}" if other.share > 1 else ""
        return at_most_times(name, self.seconds, other.seconds, times, note=f"{cpu}{scaled}")


def _again(bench: Bench) -> Iterator[Row]:
    """What the same evaluation takes when it is done again, unchanged; the peer is the fastest that has a cache."""
    name = f"evaluation of {bench.count:,} cases again, unchanged"
    own = bench.turn(peers.ours(), again=True)
    asked = bench.asked_again()
    if own.again_seconds is None:
        raise OtherJobError("ours was not done again")
    yield at_most(f"{name}, calls of the provider", float(asked), 0)
    yield at_most_times(f"{name}, against the first time, s", own.again_seconds, own.seconds, AGAIN_TIMES)
    peer = peers.promptfoo(CONCURRENCY)
    try:
        their = bench.turn(peer, again=True)
    except PeerError as failure:
        yield skipped(f"{name}, against {peer.name}, s", str(failure).strip().splitlines()[-1])
        return
    note = f"its cache; it asked {bench.asked_again()} times again"
    yield at_most_times(f"{name}, against {peer.name}, s", own.again_seconds, their.again_seconds or 0.0, 1, note=note)
