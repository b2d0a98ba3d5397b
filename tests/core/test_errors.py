import pytest

from ops_pipelines.core import errors
from ops_pipelines.core.errors import LostRace, OpsError, ReleaseError, near_miss


def test_a_message_has_what_was_wrong_what_was_expected_and_what_to_do() -> None:
    error = OpsError("The door is shut", expected="an open door", action="Knock")
    assert str(error) == "The door is shut. Expected: an open door. Knock."


@pytest.mark.parametrize("action", ["Did you mean 'carrier'?", "Known: carrier, origin."])
def test_an_action_that_ends_its_own_sentence_gets_no_second_full_stop(action: str) -> None:
    assert str(OpsError("x", expected="y", action=action)).endswith(f"y. {action}")


def test_facts_are_attributes_that_a_program_can_read() -> None:
    error = LostRace("lost", expected="won", action="Try again", system="flight_delay", sequence=3)
    assert error.facts == {"system": "flight_delay", "sequence": 3}


def test_catching_a_parent_catches_its_children() -> None:
    with pytest.raises(ReleaseError):
        raise LostRace("lost", expected="won", action="Try again")


def test_every_error_stands_in_the_tree_that_the_module_draws() -> None:
    classes = [name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, OpsError)]
    assert [name for name in classes if f"{name} " not in f"{errors.__doc__}".replace("\n", " ")] == []


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("carier", ["origin", "carrier"], "Did you mean 'carrier'?"),
        ("zzz", ["origin", "carrier"], "Known: carrier, origin."),
        ("zzz", [], "None is known."),
    ],
)
def test_a_near_miss_is_a_sentence(name: str, known: list[str], hint: str) -> None:
    assert near_miss(name, known) == hint
