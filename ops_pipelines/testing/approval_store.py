"""The fake of `agentops.approval.ApprovalStore`, and the conformance suite that the fake and every adapter run.

A team that writes a store of its own subclasses the suite and gives it a fixture named `store`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest

from ops_pipelines.agentops.approval import (
    EXPIRED,
    GRANTED,
    PENDING,
    REFUSED,
    USED,
    Answer,
    ApprovalStore,
    Binding,
    Held,
    Request,
    asked_before,
    judge_answer,
    judge_use,
)
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
BINDING = Binding("a" * 64, '{"amount_cents":500,"to":"bob"}', "run-1", "b" * 64, "c" * 64)


class MemoryApprovalStore:
    """An ApprovalStore that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: dict[str, Held] = {}

    def ask(self, request: Request) -> None:
        with self._lock:
            if request.id in self._held:
                raise asked_before(request.id)
            self._held[request.id] = Held(request)

    def answer(self, id: str, answer: Answer) -> Verdict:
        return self._changed(id, lambda held: judge_answer(held, answer), lambda held: held.answered(answer))

    def consume(self, id: str, digest: str, *, at: datetime) -> Verdict:
        return self._changed(id, lambda held: judge_use(held, digest, at), lambda held: held.consumed(at))

    def held(self, id: str | None = None) -> tuple[Held, ...]:
        with self._lock:
            found = self._held.values() if id is None else [self._held[id]] if id in self._held else []
            return tuple(found)

    def _changed(self, id: str, judge: Callable[[Held | None], Verdict], change: Callable[[Held], Held]) -> Verdict:
        with self._lock:
            held = self._held.get(id)
            found = judge(held)
            if held is not None and isinstance(found, Passed):
                self._held[id] = change(held)
            return found


def request_of(id: str, *, binding: Binding = BINDING, requester: str = "oncall") -> Request:
    """A request of noon, which expires an hour later."""
    return Request(id, requester, "refund", binding, "money is approved", NOON, LATER)


def granted_by(approver: str, *, at: datetime = NOON) -> Answer:
    """A person's yes."""
    return Answer(approver, granted=True, at=at)


def one_byte_off(binding: Binding) -> list[Binding]:
    """The binding with one character changed, once in each of its parts."""
    names = ("tool", "arguments", "run", "release", "policy")
    return [replace(binding, **{name: _bent(getattr(binding, name))}) for name in names]


class ApprovalStoreConformance:
    """What every ApprovalStore guarantees, as tests of the fixture `store`."""

    def test_a_granted_approval_lets_its_call_through_once(self, store: ApprovalStore) -> None:
        store.ask(request_of("a"))
        assert isinstance(store.answer("a", granted_by("anna")), Passed)
        assert isinstance(store.consume("a", BINDING.digest, at=NOON), Passed)
        again = store.consume("a", BINDING.digest, at=NOON)
        assert isinstance(again, Blocked)
        assert "used before" in again.reasons[0]

    def test_the_exact_call_is_held_while_it_can_be_used_and_its_digest_for_ever(self, store: ApprovalStore) -> None:
        binding = replace(BINDING, arguments='{"password":"hunter-two"}')
        store.ask(request_of("a", binding=binding))
        store.answer("a", granted_by("anna"))
        assert store.held("a")[0].request.binding == binding
        assert isinstance(store.consume("a", binding.digest, at=NOON), Passed)
        used = store.held("a")[0].request.binding
        assert (used.digest, used.arguments_digest) == (binding.digest, binding.arguments_digest)

    def test_an_approval_that_is_not_answered_refused_or_unknown_lets_nothing_through(
        self, store: ApprovalStore
    ) -> None:
        for id in ("waits", "refused"):
            store.ask(request_of(id))
        store.answer("refused", Answer("anna", granted=False, at=NOON))
        found = [store.consume(id, BINDING.digest, at=NOON) for id in ("waits", "refused", "nobody's")]
        assert all(isinstance(one, Blocked) for one in found)

    def test_one_byte_changed_is_another_call(self, store: ApprovalStore) -> None:
        store.ask(request_of("a"))
        store.answer("a", granted_by("anna"))
        for other in one_byte_off(BINDING):
            assert isinstance(store.consume("a", other.digest, at=NOON), Blocked)
        assert isinstance(store.consume("a", BINDING.digest, at=NOON), Passed)

    def test_who_asked_cannot_approve_however_the_name_is_written(self, store: ApprovalStore) -> None:
        store.ask(request_of("a"))
        for name in ("oncall", " OnCall ", "", "  "):
            assert isinstance(store.answer("a", granted_by(name)), Blocked)
        assert isinstance(store.consume("a", BINDING.digest, at=NOON), Blocked)

    def test_an_approval_counts_until_it_expires(self, store: ApprovalStore) -> None:
        for id in ("in time", "late", "answered late"):
            store.ask(request_of(id))
        store.answer("in time", granted_by("anna"))
        store.answer("late", granted_by("anna"))
        assert isinstance(store.answer("answered late", granted_by("anna", at=LATER)), Blocked)
        assert isinstance(store.consume("in time", BINDING.digest, at=LATER - MOMENT), Passed)
        assert isinstance(store.consume("late", BINDING.digest, at=LATER), Blocked)

    def test_a_request_is_answered_once(self, store: ApprovalStore) -> None:
        store.ask(request_of("a"))
        store.answer("a", Answer("anna", granted=False, at=NOON))
        assert isinstance(store.answer("a", granted_by("ben")), Blocked)
        assert store.held("a")[0].state(NOON) == REFUSED

    def test_an_id_is_asked_for_once(self, store: ApprovalStore) -> None:
        store.ask(request_of("a"))
        with pytest.raises(DataError, match="before"):
            store.ask(request_of("a"))

    def test_what_has_become_of_each_is_held_in_the_order_of_asking(self, store: ApprovalStore) -> None:
        for id in ("c", "a", "b"):
            store.ask(request_of(id))
        for id in ("c", "a"):
            store.answer(id, granted_by("anna"))
        store.consume("c", BINDING.digest, at=NOON)
        found = [(held.request.id, held.state(NOON), held.state(LATER)) for held in store.held()]
        assert found == [("c", USED, USED), ("a", GRANTED, EXPIRED), ("b", PENDING, EXPIRED)]
        assert store.held("a")[0].request == request_of("a")
        assert store.held("nobody's") == ()

    def test_of_fifty_who_resume_at_once_one_is_let_through(self, store: ApprovalStore) -> None:
        store.ask(request_of("a"))
        store.answer("a", granted_by("anna"))
        with ThreadPoolExecutor(50) as pool:
            found = list(pool.map(lambda _: store.consume("a", BINDING.digest, at=NOON), range(50)))
        assert sum(isinstance(one, Passed) for one in found) == 1


def _bent(text: str) -> str:
    return text[:-1] + chr(ord(text[-1]) ^ 1)
