"""The fake of `agentops.decision_log.DecisionLog`, and the conformance suite that the fake and every adapter run."""

from datetime import UTC, datetime
from threading import Lock

from ops_pipelines.agentops.decision_log import DecisionLog, Logged

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


class MemoryDecisionLog:
    """A DecisionLog that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: list[Logged] = []

    def keep(self, decision: Logged, *, durable: bool) -> None:  # noqa: ARG002  (memory is all it has)
        with self._lock:
            self._kept.append(decision)

    def decisions(self, run: str | None = None) -> tuple[Logged, ...]:
        with self._lock:
            return tuple(one for one in self._kept if run in (None, one.run))


def decision_of(id: str, *, run: str = "run-1") -> Logged:
    """A refund that was allowed."""
    return Logged(
        id=id,
        run=run,
        agent="oncall",
        release="b" * 64,
        policy="c" * 64,
        tool="refund",
        arguments='{"order":"ä"}',
        what="allowed",
        stage="",
        reason="permitted by 'refunds'",
        at=NOON,
        situation={"amount_cents": 500, "unseen": ["id"]},
    )


class DecisionLogConformance:
    """What every DecisionLog guarantees, as tests of the fixture `log`."""

    def test_what_was_kept_is_read_back_in_its_order(self, log: DecisionLog) -> None:
        kept = [decision_of(id) for id in ("c", "a", "b")]
        for number, decision in enumerate(kept):
            log.keep(decision, durable=bool(number % 2))
        assert log.decisions() == tuple(kept)

    def test_runs_are_kept_apart(self, log: DecisionLog) -> None:
        log.keep(decision_of("a"), durable=True)
        log.keep(decision_of("b", run="run-2"), durable=True)
        assert [[one.id for one in log.decisions(run)] for run in ("run-1", "run-2", "none")] == [["a"], ["b"], []]

    def test_an_empty_log_has_decided_nothing(self, log: DecisionLog) -> None:
        assert log.decisions() == ()
