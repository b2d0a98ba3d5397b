from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ops_pipelines.core.errors import ConfigError, NotPromotable, ReleaseError
from ops_pipelines.core.override import override
from ops_pipelines.core.pointer import (
    PRODUCTION,
    STAGING,
    Decision,
    forced,
    live_before,
    live_release,
    promote,
    roll_back,
)
from ops_pipelines.core.release import Move, Release, find_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.testing.release_store import (
    NEW_YEAR,
    InMemoryReleaseStore,
    evidence_against,
    manifest_of,
    move_after,
)

SYSTEM, HOUR = "flight_delay", timedelta(hours=1)
WORSE = Blocked(("slice EWR got worse",))


@pytest.fixture
def store() -> InMemoryReleaseStore:
    return InMemoryReleaseStore()


def decision(reason: str = "the live one answers nonsense", environment: str = PRODUCTION) -> Decision:
    return Decision("ada", reason, NEW_YEAR, NEW_YEAR, environment)


def saved(store: InMemoryReleaseStore, model: str, **evidence) -> Release:
    live = live_release(store, SYSTEM, PRODUCTION)
    store.save(manifest_of(model), evidence_against(live.digest if live else None, **evidence))
    return find_release(store, SYSTEM, manifest_of(model).digest)


def shipped(store: InMemoryReleaseStore, model: str, environment: str = PRODUCTION) -> str:
    release = saved(store, model)
    promote(store, release, decision(environment=environment), resolves=lambda *_: True)
    return release.digest


def force(
    store: InMemoryReleaseStore,
    release: Release,
    *,
    reason: str = "the live one answers nonsense",
    lasting: timedelta = HOUR,
    found: Verdict | None = None,
    resolves: bool = True,
) -> Move | None:
    return override(
        store,
        release,
        decision(reason),
        lasting=lasting,
        resolves=lambda *_: resolves,
        preflight=lambda _: found or Passed(),
    )


def health(store: InMemoryReleaseStore, now: datetime = NEW_YEAR) -> Verdict:
    return forced(store.history(SYSTEM, PRODUCTION), now)


def back(store: InMemoryReleaseStore, to: str | None = None) -> Move:
    return roll_back(store, SYSTEM, decision(), to=to, resolves=lambda *_: True)


@pytest.mark.parametrize("verdict", [WORSE, NotEvaluated("the holdout has one day")])
def test_a_release_is_forced_past_its_gate_and_the_move_says_until_when(store, verdict) -> None:
    shipped(store, "a")
    move = force(store, saved(store, "b", verdict=verdict))
    assert (move.action, move.expires, move.actor) == ("override", NEW_YEAR + HOUR, "ada")
    assert live_release(store, SYSTEM, PRODUCTION).digest == manifest_of("b").digest


def test_a_release_judged_against_another_is_forced_too(store) -> None:
    late = saved(store, "late")
    shipped(store, "a")
    assert force(store, late).release == late.digest


def test_what_came_in_through_its_gate_is_green(store) -> None:
    assert health(store) == NotEvaluated("nothing is live")
    shipped(store, "a")
    assert isinstance(health(store), Passed)


def test_a_forced_release_is_red_until_its_expiry_and_after_it(store) -> None:
    force(store, saved(store, "b", verdict=WORSE))
    told = "forced by ada until 2013-01-01 01:00 UTC: the live one answers nonsense"
    assert health(store, NEW_YEAR + HOUR - timedelta(microseconds=1)).why == told
    assert health(store, NEW_YEAR + HOUR).reasons == (f"expired, {told}",)


def test_a_forced_release_stays_live_after_its_expiry(store) -> None:
    release = saved(store, "b", verdict=WORSE)
    force(store, release)
    assert isinstance(health(store, NEW_YEAR + 100 * HOUR), Blocked)
    assert live_release(store, SYSTEM, PRODUCTION) == release


def test_a_promotion_through_the_gate_ends_it(store) -> None:
    force(store, saved(store, "b", verdict=WORSE))
    shipped(store, "c")
    assert isinstance(health(store), Passed)


def test_the_forced_release_itself_ends_it_by_a_gate_against_what_it_replaced(store) -> None:
    first = shipped(store, "a")
    release = saved(store, "b", verdict=WORSE)
    force(store, release)
    with pytest.raises(NotPromotable, match="EWR got worse"):
        promote(store, release, decision(), resolves=lambda *_: True)
    store.save(manifest_of("b"), evidence_against(first, run="run-2"))
    assert promote(store, release, decision(), resolves=lambda *_: True).action == "promote"
    assert isinstance(health(store), Passed)
    assert back(store).release == first


def test_a_rollback_ends_it(store) -> None:
    first = shipped(store, "a")
    force(store, saved(store, "b", verdict=WORSE))
    assert back(store).release == first
    assert isinstance(health(store), Passed)


def test_a_rollback_to_a_forced_release_does_not_make_it_green(store) -> None:
    release = saved(store, "b", verdict=WORSE)
    force(store, release)
    shipped(store, "c")
    assert back(store).release == release.digest
    assert isinstance(health(store), NotEvaluated)


def test_forcing_what_is_live_through_its_gate_changes_nothing(store) -> None:
    shipped(store, "a")
    assert force(store, saved(store, "a")) is None


def test_forcing_again_prolongs_it_and_is_one_floor_of_the_pile(store) -> None:
    first, release = shipped(store, "a"), saved(store, "b", verdict=WORSE)
    force(store, release)
    assert force(store, release, lasting=5 * HOUR).expires == NEW_YEAR + 5 * HOUR
    assert live_before(store.history(SYSTEM, PRODUCTION), NEW_YEAR) == first
    assert back(store).release == first
    with pytest.raises(ReleaseError, match="no earlier release"):
        back(store)


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_a_blank_reason_is_refused(store, reason) -> None:
    with pytest.raises(ConfigError, match="without a reason"):
        force(store, saved(store, "b"), reason=reason)
    assert store.history(SYSTEM, PRODUCTION) == ()


@pytest.mark.parametrize("hours", [-1, 0, 168.1, 10_000])
def test_hours_out_of_range_are_refused(store, hours) -> None:
    with pytest.raises(ConfigError, match=f"cannot be forced for {hours:g} hours"):
        force(store, saved(store, "b"), lasting=hours * HOUR)
    assert store.history(SYSTEM, PRODUCTION) == ()


def test_a_whole_week_is_in_range(store) -> None:
    assert force(store, saved(store, "b"), lasting=168 * HOUR).expires == NEW_YEAR + timedelta(days=7)


def test_a_part_that_cannot_be_found_stops_an_override_too(store) -> None:
    with pytest.raises(NotPromotable, match=r"its model .* cannot be found"):
        force(store, saved(store, "b"), resolves=False)


def test_a_release_that_answers_otherwise_here_is_not_forced(store) -> None:
    with pytest.raises(NotPromotable, match="golden row 3"):
        force(store, saved(store, "b"), found=Blocked(("golden row 3 scores otherwise",)))
    assert store.history(SYSTEM, PRODUCTION) == ()


def test_a_release_that_knows_the_future_is_not_forced(store) -> None:
    with pytest.raises(NotPromotable, match="knows more than anybody could know"):
        force(store, saved(store, "b", cut_off=NEW_YEAR + HOUR))


def test_a_row_without_an_expiry_keeps_the_hash_that_it_had_before_there_were_any() -> None:
    move = move_after(None, "a")
    assert "expires" not in move.to_json()
    assert move.hash == "fc8fe88f2f1f0d07b6af884344fb47f94324d081ce1d2ab1da05c2cecdb39a87"
    assert Move.from_json(move.to_json()) == move


def test_a_row_with_an_expiry_comes_back_unchanged(store) -> None:
    move = force(store, saved(store, "b"))
    assert Move.from_json(move.to_json()) == move


def test_production_asks_for_what_was_live_in_staging_where_it_is_told_to(store) -> None:
    release = saved(store, "a")
    with pytest.raises(NotPromotable, match=r"never live in staging.*--environment staging") as refused:
        promote(store, release, decision(), resolves=lambda *_: True, through=STAGING)
    assert refused.value.facts["verdict"] == "blocked"
    shipped(store, "a", STAGING)
    shipped(store, "b", STAGING)
    assert promote(store, release, decision(), resolves=lambda *_: True, through=STAGING).release == release.digest


def test_staging_holds_what_was_gated_against_production(store) -> None:
    first = shipped(store, "a")
    for model in ("b", "c"):
        shipped(store, model, STAGING)
    assert [evidence.baseline for evidence in find_release(store, SYSTEM, manifest_of("c").digest).evidence] == [first]
    assert live_release(store, SYSTEM, STAGING).digest == manifest_of("c").digest


def test_a_release_gated_against_what_was_in_staging_is_refused(store) -> None:
    shipped(store, "a")
    staged = shipped(store, "b", STAGING)
    store.save(manifest_of("c"), evidence_against(staged))
    release = find_release(store, SYSTEM, manifest_of("c").digest)
    with pytest.raises(NotPromotable, match="gate it again"):
        promote(store, release, decision(environment=STAGING), resolves=lambda *_: True)


def test_what_is_live_in_production_may_go_to_staging_by_the_gate_that_let_it_in(store) -> None:
    shipped(store, "a")
    shipped(store, "b")
    release = find_release(store, SYSTEM, manifest_of("b").digest)
    assert promote(store, release, decision(environment=STAGING), resolves=lambda *_: True) is not None


class Health(RuleBasedStateMachine):
    """People who promote, force and roll back in any order, beside the set of releases that passed their gates."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.gated = InMemoryReleaseStore(), set()

    @rule(model=st.sampled_from("abc"))
    def somebody_promotes(self, model: str) -> None:
        self.gated.add(shipped(self.store, f"good {model}"))

    @rule(model=st.sampled_from("xyz"))
    def somebody_forces(self, model: str) -> None:
        force(self.store, saved(self.store, f"bad {model}", verdict=WORSE))

    @rule()
    def somebody_rolls_back(self) -> None:
        try:
            back(self.store)
        except ReleaseError:
            return

    @invariant()
    def what_is_green_passed_its_gate_and_what_is_red_did_not(self) -> None:
        history = self.store.history(SYSTEM, PRODUCTION)
        if history:
            assert isinstance(health(self.store), Passed) == (history[-1].release in self.gated)


TestHealth = Health.TestCase
TestHealth.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
