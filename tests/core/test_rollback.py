import pytest

from ops_pipelines.core.errors import LostRace, NotPromotable, ReleaseError
from ops_pipelines.core.pointer import (
    PRODUCTION,
    roll_back,
)
from ops_pipelines.testing.release_store import (
    InMemoryReleaseStore,
)

from .pointer_moves import SYSTEM, back, decision, everything_resolves, go_live, live, saved


@pytest.fixture
def store() -> InMemoryReleaseStore:
    return InMemoryReleaseStore()


def test_a_rollback_puts_back_what_was_live_before_with_its_evidence(store) -> None:
    first, _ = go_live(store, "a", "b")
    move = back(store)
    assert (live(store), move.action) == (first, "rollback")
    assert move.evidence == store.history(SYSTEM, PRODUCTION)[0].evidence


def test_a_rollback_after_a_rollback_goes_further_back(store) -> None:
    first, second, _ = go_live(store, "a", "b", "c")
    assert [back(store).release, back(store).release] == [second, first]
    with pytest.raises(ReleaseError, match="no earlier release"):
        back(store)


def test_rollbacks_never_go_to_and_fro_where_a_release_was_promoted_twice(store) -> None:
    first, second, _ = go_live(store, "a", "b", "a")
    assert [back(store).release, back(store).release] == [second, first]
    with pytest.raises(ReleaseError, match="no earlier release"):
        back(store)


def test_a_promotion_after_a_rollback_is_rolled_back_to_what_it_replaced(store) -> None:
    first, _ = go_live(store, "a", "b")
    back(store)
    go_live(store, "c")
    assert back(store).release == first


def test_a_rollback_to_a_named_release_takes_the_first_digits(store) -> None:
    first, *_ = go_live(store, "a", "b", "c")
    assert back(store, to=first[:8]).release == first


def test_a_release_that_was_never_live_is_promoted_and_not_rolled_back_to(store) -> None:
    go_live(store, "a", "b")
    never = saved(store, "never")
    with pytest.raises(ReleaseError, match=r"never live.*Promote it instead"):
        back(store, to=never.digest)


def test_a_rollback_to_what_is_live_is_refused(store) -> None:
    _, second = go_live(store, "a", "b")
    with pytest.raises(ReleaseError, match="or is live now"):
        back(store, to=second)


def test_nothing_can_be_rolled_back_where_nothing_was_promoted(store) -> None:
    with pytest.raises(ReleaseError, match="no earlier release"):
        back(store)


def test_a_rollback_to_a_release_whose_parts_are_gone_is_refused(store) -> None:
    go_live(store, "a", "b")
    with pytest.raises(NotPromotable, match=r"its model .* cannot be found"):
        roll_back(store, SYSTEM, decision(), resolves=lambda name, digest: False)


def test_a_rollback_that_was_decided_on_what_is_not_live_any_more_is_refused(store) -> None:
    first, second, third = go_live(store, "first", "second", "third")
    with pytest.raises(LostRace, match="was live when this was decided"):
        roll_back(store, "flight_delay", decision(), to=first, seen=second, resolves=everything_resolves)
    assert live(store) == third


def test_a_rollback_that_was_decided_on_what_is_live_still_is_done(store) -> None:
    first, second = go_live(store, "first", "second")
    roll_back(store, "flight_delay", decision(), to=first, seen=second[:12], resolves=everything_resolves)
    assert live(store) == first
