"""Every drill does its harm where nobody guards, and is refused with the named reason where somebody does."""

import pytest

from ops_pipelines.apps.drills import DRILLS, Drill, Outcome, drift_noise, run_drill
from ops_pipelines.apps.drills.drill import GUARDED, UNGUARDED
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked

FINE = {UNGUARDED: Outcome(True, False, "it is gone"), GUARDED: Outcome(False, True, "refused: two keys are one")}


def drill(**outcomes: Outcome) -> Drill:
    came_to = FINE | outcomes
    variants = {name: lambda folder, name=name: came_to[name] for name in FINE}
    return Drill("D0", "made up", "nothing happened", "nowhere", "two keys are one", **variants)


def holds(made: Drill) -> dict[str, bool]:
    return {result.variant: result.holds for result in run_drill(made)}


@pytest.mark.parametrize("number", [one.number for one in DRILLS])
def test_a_drill_harms_unguarded_and_is_caught_guarded_with_the_named_reason(number):
    (one,) = [one for one in DRILLS if one.number == number]
    for result in run_drill(one):
        assert result.holds, result.to_json()
        canonical_json(result.to_json())


@pytest.mark.long
def test_over_a_thousand_seeds_quiet_weeks_raise_no_more_alarms_than_the_target_and_a_real_shift_does():
    assert drift_noise.false_alarms(1_000) <= drift_noise.TARGET
    found = [drift_noise.judged(drift_noise.LEAST, shift=0.6, seed=seed) for seed in range(100)]
    assert sum(isinstance(verdict, Blocked) for verdict in found) > 95


def test_drills_are_listed_once_each_in_the_order_of_their_numbers():
    numbers = [int(one.number.removeprefix("D")) for one in DRILLS]
    assert numbers == sorted(set(numbers))


def test_harm_that_is_done_and_then_caught_with_the_named_reason_holds():
    assert holds(drill()) == {UNGUARDED: True, GUARDED: True}


@pytest.mark.parametrize("harmless", [Outcome(False, False, "all is well"), Outcome(True, True, "caught all the same")])
def test_a_drill_that_cannot_fail_unguarded_does_not_hold(harmless):
    assert holds(drill(unguarded=harmless)) == {UNGUARDED: False, GUARDED: True}


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(False, True, "refused: for another reason"),
        Outcome(True, True, "two keys are one"),
        Outcome(False, False, "two keys are one"),
    ],
)
def test_a_guard_that_says_something_else_or_lets_the_harm_be_done_does_not_hold(outcome):
    assert holds(drill(guarded=outcome)) == {UNGUARDED: True, GUARDED: False}


def test_a_variant_that_breaks_has_neither_harmed_nor_caught_and_says_why():
    def breaks(folder):
        raise OSError("no space left")

    made = Drill("D0", "made up", "nothing happened", "nowhere", "drill broke", breaks, breaks)
    results = list(run_drill(made))
    assert [result.holds for result in results] == [False, False]
    assert results[0].outcome.reason == "the drill broke: OSError: no space left"


def test_each_variant_works_in_an_empty_folder_that_is_gone_afterwards():
    folders = []

    def works(folder):
        folders.append((folder, list(folder.iterdir())))
        (folder / "left").touch()
        return Outcome(False, False, "")

    list(run_drill(Drill("D0", "made up", "nothing happened", "nowhere", "", works, works)))
    (first, seen), (second, seen_too) = folders
    assert (seen, seen_too, first.exists(), second.exists()) == ([], [], False, False)
    assert first != second
