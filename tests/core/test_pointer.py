from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ops_pipelines.core.errors import DataError, LostRace, NotPromotable, ReleaseError
from ops_pipelines.core.pointer import (
    PRODUCTION,
    check_chain,
    gate_of,
    live_before,
    live_evidence,
    live_move,
    live_release,
    promote,
    taken_back,
)
from ops_pipelines.core.release import Evidence, Manifest, Move, Release, find_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.testing.release_store import (
    NEW_YEAR,
    InMemoryReleaseStore,
    evidence_against,
    manifest_of,
    move_after,
)

from .pointer_moves import SYSTEM, back, decision, everything_resolves, go_live, live, saved


@pytest.fixture
def store() -> InMemoryReleaseStore:
    return InMemoryReleaseStore()


def test_promotes_a_release_whose_gate_passed(store) -> None:
    release = saved(store, "a")
    move = promote(store, release, decision(), resolves=everything_resolves)
    assert store.history(SYSTEM, PRODUCTION) == (move,)
    assert (move.release, move.evidence, move.sequence, move.previous) == (
        release.digest,
        release.latest.digest,
        1,
        "",
    )


def test_promoting_what_is_live_moves_nothing(store) -> None:
    go_live(store, "a")
    assert promote(store, saved(store, "a"), decision(), resolves=everything_resolves) is None
    assert len(store.history(SYSTEM, PRODUCTION)) == 1


@pytest.mark.parametrize("verdict", [Blocked(("slice EWR got worse",)), NotEvaluated("the holdout has one day")])
def test_a_gate_that_did_not_pass_keeps_a_release_out(store, verdict) -> None:
    release = saved(store, "a", verdict=verdict)
    with pytest.raises(NotPromotable, match=r"slice EWR got worse|not evaluated: the holdout has one day"):
        promote(store, release, decision(), resolves=everything_resolves)
    assert store.history(SYSTEM, PRODUCTION) == ()


def test_a_promotion_judged_against_another_baseline_is_refused(store) -> None:
    late = saved(store, "late", baseline=None)
    go_live(store, "a")
    with pytest.raises(NotPromotable, match=r"the gate compared it with no champion.*gate it again") as refused:
        promote(store, late, decision(), resolves=everything_resolves)
    assert refused.value.facts["verdict"] == "not evaluated"


def advice(store, release: Release, environment: str = PRODUCTION) -> str:
    with pytest.raises(NotPromotable) as refused:
        promote(store, release, decision(environment=environment), resolves=everything_resolves)
    return refused.value.action


def test_the_verb_that_gates_a_trained_release_again_is_named_with_its_week(store) -> None:
    trained = Evidence(Passed(), None, NEW_YEAR, {"training_set": f"{SYSTEM}/training_set@2012-12-25"})
    store.save(manifest_of("late"), trained)
    go_live(store, "a")
    told = advice(store, find_release(store, SYSTEM, manifest_of("late").digest), "staging")
    assert told.startswith(f"""`ops materialize 'key:"{SYSTEM}/checkpoint"' --partition 2012-12-25`""")
    assert "rollback" not in told


def test_the_verb_that_judges_a_composite_again_is_named(store) -> None:
    composite = Manifest(SYSTEM, {}, {"desk": "ab" * 32})
    store.save(composite, evidence_against(None))
    go_live(store, "a")
    told = advice(store, find_release(store, SYSTEM, composite.digest))
    assert told.startswith(f"""`ops materialize 'key:"{SYSTEM}/composition"'`""")


def test_a_release_that_was_live_may_be_put_back_where_it_was(store) -> None:
    first, _ = go_live(store, "a", "b")
    told = advice(store, find_release(store, SYSTEM, first))
    assert f"`ops rollback {SYSTEM} --to {first[:12]} --environment production`" in told


def test_a_release_that_is_gated_again_against_what_is_live_may_go_live(store) -> None:
    saved(store, "late", baseline=None)
    (first,) = go_live(store, "a")
    move = promote(store, saved(store, "late", baseline=first), decision(), resolves=everything_resolves)
    assert live(store) == move.release == manifest_of("late").digest


def test_the_move_names_the_evidence_that_opened_the_gate(store) -> None:
    (first,) = go_live(store, "a")
    opened = evidence_against(first)
    saved(store, "b", baseline=first)
    release = saved(store, "b", baseline="cd" * 32, run="later, against another")
    assert promote(store, release, decision(), resolves=everything_resolves).evidence == opened.digest


def test_the_last_verdict_against_a_baseline_counts(store) -> None:
    saved(store, "a", run="run-1")
    release = saved(store, "a", run="run-2", verdict=Blocked(("worse",)))
    assert gate_of(release, baseline=None) == Blocked(("worse",))


def test_the_stores_evidence_counts_and_not_the_callers(store) -> None:
    saved(store, "a", verdict=Blocked(("worse",)))
    forged = Release(manifest_of("a"), (evidence_against(None),))
    with pytest.raises(NotPromotable, match="worse"):
        promote(store, forged, decision(), resolves=everything_resolves)


def test_a_release_that_was_never_saved_cannot_go_live(store) -> None:
    with pytest.raises(ReleaseError, match="No release"):
        promote(store, Release(manifest_of("a"), (evidence_against(None),)), decision(), resolves=everything_resolves)


def test_a_part_that_cannot_be_found_keeps_a_release_out(store) -> None:
    with pytest.raises(NotPromotable, match=r"its model .* cannot be found"):
        promote(store, saved(store, "a"), decision(), resolves=lambda name, digest: name != "model")


def test_a_release_that_knows_the_future_cannot_go_live(store) -> None:
    release = saved(store, "a", cut_off=NEW_YEAR + timedelta(microseconds=1))
    with pytest.raises(NotPromotable, match="knows more than anybody could know at 2013-01-01"):
        promote(store, release, decision(NEW_YEAR), resolves=everything_resolves)
    assert store.history(SYSTEM, PRODUCTION) == ()


def test_a_release_may_go_live_at_the_instant_of_its_cut_off(store) -> None:
    release = saved(store, "a", cut_off=NEW_YEAR)
    assert promote(store, release, decision(NEW_YEAR), resolves=everything_resolves).release == release.digest


def test_the_second_of_two_promotions_at_once_loses() -> None:
    class Meddler(InMemoryReleaseStore):
        """Lets somebody else promote between the reading of the history and the append."""

        def append(self, move: Move) -> None:
            if not self.history(SYSTEM, PRODUCTION):
                super().append(move_after(None, "somebody else's"))
            super().append(move)

    meddler = Meddler()
    with pytest.raises(LostRace, match="moved while"):
        promote(meddler, saved(meddler, "a"), decision(), resolves=everything_resolves)


def test_a_move_that_began_before_the_last_one_was_made_is_not_told_as_the_earlier(store) -> None:
    go_live(store, "a")
    release = saved(store, "b", baseline=manifest_of("a").digest)
    began = replace(decision(), at=NEW_YEAR - timedelta(seconds=2))
    promote(store, release, began, resolves=everything_resolves)
    assert [move.at for move in store.history(SYSTEM, PRODUCTION)] == [NEW_YEAR, NEW_YEAR]


def test_environments_are_promoted_one_by_one(store) -> None:
    promote(store, saved(store, "a"), decision(environment="staging"), resolves=everything_resolves)
    assert live_release(store, SYSTEM, PRODUCTION) is None
    assert live_release(store, SYSTEM, "staging").digest == manifest_of("a").digest


def test_a_clock_that_goes_back_is_refused(store) -> None:
    go_live(store, "a", as_of=NEW_YEAR + timedelta(days=7))
    with pytest.raises(ReleaseError, match="The clock went back"):
        go_live(store, "b", as_of=NEW_YEAR)


def test_what_was_live_at_an_instant_stays_so_after_a_promotion(store) -> None:
    week = timedelta(days=7)
    first, second = (*go_live(store, "a", as_of=NEW_YEAR), *go_live(store, "b", as_of=NEW_YEAR + week))
    history = store.history(SYSTEM, PRODUCTION)
    assert live_move(history, NEW_YEAR - timedelta(microseconds=1)) is None
    assert live_move(history, NEW_YEAR).release == first
    assert live_move(history, NEW_YEAR + week - timedelta(microseconds=1)).release == first
    assert live_move(history, NEW_YEAR + week).release == live_move(history).release == second


@pytest.mark.parametrize("changed", [{"actor": "mallory"}, {"release": "b"}, {"as_of": NEW_YEAR + timedelta(1)}])
def test_an_edited_row_breaks_the_chain(changed) -> None:
    first = move_after(None, "a")
    second = move_after(first, "b")
    check_chain([first, second])
    with pytest.raises(DataError, match=r"Move 2 .* does not follow"):
        check_chain([replace(first, **changed), second])


def test_a_removed_row_breaks_the_chain() -> None:
    first = move_after(None, "a")
    second = move_after(first, "b")
    for history in ([second], [first, move_after(second, "c")]):
        with pytest.raises(DataError, match="does not follow"):
            check_chain(history)


def test_the_evidence_that_a_release_went_live_with_stands_whatever_is_appended_later(store) -> None:
    go_live(store, "a")
    store.save(manifest_of("a"), evidence_against("another baseline", verdict=Blocked(("worse now",))))
    assert live_release(store, SYSTEM, PRODUCTION).latest.verdict == Blocked(("worse now",))
    assert isinstance(live_evidence(store, SYSTEM, PRODUCTION).verdict, Passed)


def test_a_release_counts_as_taken_back_until_something_else_takes_it_out_of_force(store) -> None:
    first, second = go_live(store, "a", "b")
    assert taken_back(store.history(SYSTEM, PRODUCTION), second) is None
    move = back(store)
    history = store.history(SYSTEM, PRODUCTION)
    assert (taken_back(history, second), taken_back(history, first)) == (move, None)


def test_what_a_release_replaced_by_promotion_stands_as_long_as_it_is_live(store) -> None:
    week = timedelta(days=7)
    first, second, _ = (go_live(store, m, as_of=NEW_YEAR + n * week)[0] for n, m in enumerate("abc"))
    history = store.history(SYSTEM, PRODUCTION)
    replaced = [live_before(history, NEW_YEAR + n * week) for n in (-1, 0, 1, 2, 50)]
    assert replaced == [None, None, first, second, second]
    assert live_before(history, NEW_YEAR + week - timedelta(microseconds=1)) is None


def test_a_rollback_replaces_nothing_and_the_next_promotion_what_was_put_back(store) -> None:
    first, _ = go_live(store, "a", "b")
    back(store)
    assert live_before(store.history(SYSTEM, PRODUCTION), NEW_YEAR) is None
    go_live(store, "c")
    assert live_before(store.history(SYSTEM, PRODUCTION), NEW_YEAR) == first


class WithoutItsBeginning(InMemoryReleaseStore):
    """A store whose first row somebody removed."""

    def history(self, system: str, environment: str) -> tuple[Move, ...]:
        return super().history(system, environment)[1:]


def test_a_broken_chain_stops_every_move() -> None:
    store = WithoutItsBeginning()
    first, second = move_after(None, "a"), move_after(move_after(None, "a"), "b")
    store.append(first)
    store.append(second)
    with pytest.raises(DataError, match="does not follow"):
        back(store, to=manifest_of("a").digest)


class Pointer(RuleBasedStateMachine):
    """People who promote and roll back in any order, beside a model that is a pile of releases."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.pile, self.as_of = InMemoryReleaseStore(), [], NEW_YEAR

    @rule(model=st.sampled_from("abcd"), days=st.integers(0, 3))
    def somebody_promotes(self, model: str, days: int) -> None:
        self.as_of += timedelta(days=days)
        (digest,) = go_live(self.store, model, as_of=self.as_of)
        if self.pile[-1:] != [digest]:
            self.pile.append(digest)

    @rule(model=st.sampled_from("abcd"), verdict=st.sampled_from([Blocked(("worse",)), NotEvaluated("no rows")]))
    def somebody_promotes_what_did_not_pass(self, model: str, verdict) -> None:
        before = self.store.history(SYSTEM, PRODUCTION)
        baseline = before[-1].release if before else None
        release = saved(self.store, f"bad {model}", baseline=baseline, verdict=verdict)
        with pytest.raises(NotPromotable):
            promote(self.store, release, decision(self.as_of), resolves=everything_resolves)
        assert self.store.history(SYSTEM, PRODUCTION) == before

    @precondition(lambda self: len(self.pile) > 1)
    @rule()
    def somebody_rolls_back(self) -> None:
        self.pile.pop()
        assert back(self.store, as_of=self.as_of).release == self.pile[-1]

    @precondition(lambda self: len(self.pile) < 2)
    @rule()
    def somebody_rolls_back_too_far(self) -> None:
        with pytest.raises(ReleaseError):
            back(self.store, as_of=self.as_of)

    @invariant()
    def what_is_live_is_a_saved_release_whose_gate_passed(self) -> None:
        history = self.store.history(SYSTEM, PRODUCTION)
        check_chain(history)
        assert [history[-1].release] == self.pile[-1:] if history else not self.pile
        if history:
            release = find_release(self.store, SYSTEM, history[-1].release)
            gated = {evidence.digest: evidence.verdict for evidence in release.evidence}
            assert isinstance(gated[history[-1].evidence], Passed)


TestPointer = Pointer.TestCase
TestPointer.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
