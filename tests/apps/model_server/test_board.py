"""Which release answers while the pointer moves, loads fail, and the store goes and comes back."""

from dataclasses import replace

import pytest

from ops_pipelines.apps.model_server.board import RETRY_AT_MOST, RETRY_SECONDS, Board, Failure
from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Move
from ops_pipelines.mlops.canary import Canary
from ops_pipelines.testing.held_executor import HeldExecutor
from ops_pipelines.testing.release_store import NEW_YEAR, move_after
from ops_pipelines.testing.scripted_stores import ScriptedStores

SYSTEM = "flight_delay"


class Watched:
    """A board whose loads wait until they are released, and what it told."""

    def __init__(self):
        self.stores, self.loader, self.told = ScriptedStores(), HeldExecutor(), []
        self.board = Board(
            self.stores.releases,
            self.stores,
            self.loader,
            environment=PRODUCTION,
            tell=lambda event, facts: self.told.append(event),
        )

    @property
    def slot(self):
        return self.board.slots[SYSTEM]

    @property
    def answers(self):
        return self.slot.routes.live.digest if self.slot.routes else None

    def make_live(self, model):
        digest = self.stores.make_live(model)
        self.settle()
        return digest

    def settle(self):
        self.board.look()
        while self.loader.release():
            self.board.look()


@pytest.fixture
def watched():
    return Watched()


def test_nothing_answers_until_the_live_release_is_warm(watched):
    watched.stores.make_live("a")
    watched.board.look()
    with pytest.raises(Refused, match="it is being loaded"):
        watched.slot.release()
    watched.loader.release()
    watched.board.look()
    assert watched.slot.release().digest == watched.answers


def test_the_old_release_answers_while_the_next_one_is_loaded(watched):
    old = watched.make_live("a")
    new = watched.stores.make_live("b")
    for _ in range(3):
        watched.board.look()
        assert watched.answers == old
    watched.settle()
    assert watched.answers == new


def test_a_request_that_has_taken_its_release_keeps_it_over_a_swap(watched):
    watched.make_live("a")
    taken = watched.slot.release()
    watched.make_live("b")
    assert taken.score({"x": [1.0]}) == [0.5]
    assert taken.digest != watched.slot.release().digest


def test_what_was_live_stays_warm_so_that_going_back_loads_nothing(watched):
    first, _ = watched.make_live("a"), watched.make_live("b")
    watched.stores.loads.clear()
    watched.stores.make_live("a")
    watched.board.look()
    assert (watched.answers, watched.stores.loads) == (first, [])


def test_what_nothing_names_any_more_is_let_go(watched):
    first, second, third = (watched.make_live(model) for model in "abc")
    assert set(watched.slot.warm) == {second, third}
    assert first not in watched.slot.warm


def test_a_release_that_cannot_be_loaded_changes_nothing_and_the_board_says_why(watched):
    old = watched.make_live("a")
    watched.stores.fails["b"] = DataError("its bytes were changed", expected="others", action="Restore them")
    watched.make_live("b")
    assert watched.answers == old
    assert "its bytes were changed" in watched.slot.describe()["problems"][0]
    assert watched.told.count("release_not_loaded") == 1


@pytest.mark.parametrize("raised", [MemoryError(), RecursionError("deep"), SystemExit(3), KeyError("x"), OSError(28)])
def test_whatever_a_load_raises_the_board_goes_on(watched, raised):
    old = watched.make_live("a")
    watched.stores.fails["b"] = raised
    watched.make_live("b")
    assert watched.answers == old
    new = watched.make_live("c")
    assert watched.answers == new


def test_a_load_that_failed_is_tried_again(watched):
    watched.stores.fails["a"] = OSError("not mounted yet")
    digest = watched.make_live("a")
    assert watched.answers is None
    assert watched.slot.settled()
    watched.stores.fails.clear()
    watched.slot.failures = {digest: replace(failure, at=0.0) for digest, failure in watched.slot.failures.items()}
    watched.settle()
    assert (watched.answers, watched.slot.failures) == (digest, {})


@pytest.mark.parametrize(("took", "waits"), [(0.0, RETRY_SECONDS), (1.0, 10.0), (60.0, RETRY_AT_MOST)])
def test_the_longer_a_load_took_to_fail_the_later_it_is_tried_again(took, waits):
    failure = Failure("no", at=100.0, took=took)
    assert not failure.may_retry(100.0 + waits - 0.01)
    assert failure.may_retry(100.0 + waits)


def test_while_the_store_is_gone_the_live_release_answers_and_the_board_says_so_once(watched):
    live = watched.make_live("a")
    watched.stores.gone = True
    for _ in range(3):
        watched.board.look()
    assert (watched.answers, watched.told.count("store_gone")) == (live, 1)
    assert "gone" in watched.board.store_problem


def test_a_move_that_was_made_while_the_store_was_gone_is_followed_at_its_return(watched):
    watched.make_live("a")
    watched.stores.gone = True
    watched.board.look()
    new = watched.stores.make_live("b")
    watched.stores.gone = False
    watched.settle()
    assert (watched.answers, watched.board.store_problem) == (new, None)
    assert "store_returned" in watched.told


def test_a_load_is_retried_without_the_release_store(watched):
    watched.stores.fails["a"] = OSError("objects are gone")
    digest = watched.make_live("a")
    watched.stores.gone = True
    watched.stores.fails.clear()
    watched.slot.failures = {digest: replace(failure, at=0.0) for digest, failure in watched.slot.failures.items()}
    watched.settle()
    assert watched.answers == digest


class Stumbling(ScriptedStores):
    """Stores whose next readings fail, after the change was seen."""

    def canary(self, system):
        if self.fails_to_read:
            raise self.fails_to_read.pop()
        return ScriptedStores.canary(self, system)


@pytest.mark.parametrize("error", [DataError("locked", expected="-", action="-"), OSError("gone"), RuntimeError("?")])
def test_a_change_whose_reading_failed_is_read_again(watched, error):
    watched.make_live("a")
    stumbling = Stumbling(watched.stores.releases)
    stumbling.fails_to_read = [error]
    watched.board = Board(
        stumbling.releases, stumbling, watched.loader, environment=PRODUCTION, tell=lambda event, facts: None
    )
    watched.board.look()
    assert watched.board.store_problem
    watched.settle()
    assert (watched.board.store_problem, watched.answers is not None) == (None, True)


def test_a_history_that_was_edited_changes_nothing_and_is_told(watched):
    live = watched.make_live("a")
    moves = watched.stores.releases._moves[SYSTEM, PRODUCTION]
    moves.append(Move(**{name: getattr(moves[0], name) for name in Move.__slots__} | {"release": "ef" * 32}))
    watched.stores.write()
    watched.settle()
    assert watched.answers == live
    assert "does not follow the row before it" in watched.slot.describe()["problems"][0]


def test_a_pointer_to_a_release_that_was_never_saved_changes_nothing_and_is_told(watched):
    live = watched.make_live("a")
    history = watched.stores.releases.history(SYSTEM, PRODUCTION)
    watched.stores.releases.append(move_after(history[-1], "ef" * 32))
    watched.stores.write()
    watched.settle()
    assert watched.answers == live
    assert "not among its releases" in watched.slot.describe()["problems"][0]


def begin(watched, candidate, champion, share=0.999):
    watched.stores.begun = Canary(
        SYSTEM, PRODUCTION, candidate, champion, share, "salt", "ada", "try", NEW_YEAR, NEW_YEAR
    )
    watched.stores.write()
    watched.settle()


def test_a_candidate_takes_its_share_once_it_is_warm_and_gives_it_back_at_its_end(watched):
    live, candidate = watched.make_live("a"), watched.stores.publish("b")
    begin(watched, candidate, live)
    assert watched.slot.routes.choose("key")[0].digest == candidate
    watched.stores.begun = None
    watched.stores.write()
    watched.settle()
    assert watched.slot.routes.choose("key")[0].digest == live
    assert candidate not in watched.slot.warm


def test_a_canary_beside_another_champion_routes_nothing(watched):
    live, candidate = watched.make_live("a"), watched.stores.publish("b")
    begin(watched, candidate, "cd" * 32)
    assert watched.slot.routes.choose("key")[0].digest == live


def test_a_candidate_that_cannot_be_loaded_leaves_all_requests_to_the_live_release(watched):
    live, candidate = watched.make_live("a"), watched.stores.publish("b")
    watched.stores.fails["b"] = MemoryError()
    begin(watched, candidate, live)
    assert watched.slot.routes.choose("key")[0].digest == live
    assert watched.slot.describe()["problems"]


def test_the_state_of_a_slot_is_told_as_plain_json(watched):
    live = watched.make_live("a")
    told = watched.slot.describe()
    assert (told["release"], told["wanted"], told["warm"], told["swaps"]) == (live, live, [live], 0)
