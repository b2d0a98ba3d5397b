from dataclasses import dataclass

from ops_pipelines.apps.tool_gateway.remembered import Remembered


@dataclass(eq=False)
class Run:
    client: str
    characters: int = 0


def kept(remembered, *keys):
    return [key for key in keys if remembered.get(key) is not None]


def test_a_client_that_begins_a_run_for_each_call_pushes_out_its_own():
    remembered = Remembered(3, 100)
    for key, client in (("other", "a"), ("b1", "b"), ("b2", "b"), ("b3", "b"), ("b4", "b")):
        remembered.keep(key, Run(client))
    assert kept(remembered, "other", "b1", "b2", "b3", "b4") == ["other", "b3", "b4"]


def test_among_equals_the_run_is_forgotten_that_was_used_least_lately():
    remembered, first = Remembered(2, 100), Run("a")
    remembered.keep("first", first)
    remembered.keep("second", Run("b"))
    remembered.keep("first", first)
    remembered.keep("third", Run("c"))
    assert kept(remembered, "first", "second", "third") == ["first", "third"]


def test_what_was_read_in_all_runs_has_an_end_and_who_read_most_pays_for_it():
    remembered, small, big = Remembered(9, 100), Run("a", 30), Run("b", 30)
    for key, run in (("small", small), ("big", big), ("bigger", Run("b", 30))):
        remembered.keep(key, run)
    big.characters = 60
    remembered.weigh("big", big)
    assert kept(remembered, "small", "big", "bigger") == ["small", "bigger"]


def test_a_run_that_alone_has_read_too_much_is_kept_and_one_that_was_forgotten_weighs_nothing():
    remembered, alone = Remembered(9, 100), Run("a", 500)
    remembered.keep("alone", alone)
    assert len(remembered) == 1
    remembered.keep("next", Run("b", 50))
    remembered.weigh("alone", alone)
    assert kept(remembered, "alone", "next") == ["next"]
