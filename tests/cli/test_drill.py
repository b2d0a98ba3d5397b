from ops_pipelines.apps.drills import Drill, Outcome, run_drill
from ops_pipelines.cli.drill import exit_code


def results(*, reason: str):
    """What a made-up drill came to, whose guard gives this reason."""
    variants = {
        "unguarded": lambda folder: Outcome(True, False, "gone"),
        "guarded": lambda folder: Outcome(False, True, reason),
    }
    return list(run_drill(Drill("D0", "made up", "nothing happened", "nowhere", "two keys are one", **variants)))


def test_exits_with_0_only_where_every_variant_holds():
    good, other = results(reason="refused: two keys are one"), results(reason="refused: something else")
    assert [exit_code(found) for found in (good, other, [*good, *other], [])] == [0, 1, 1, 1]


def test_lists_the_drills_with_what_the_guard_has_to_say(ops):
    said = ops("drill", "list", "--json")
    assert said.code == 0
    (doubled,) = [row for row in said.json() if row["drill"] == "D2"]
    assert doubled["name"] == "doubled rows"
    assert doubled["guard says"] == "keys of 'bot_features' occur more than once"


def test_runs_a_drill_and_gives_one_record_for_each_variant(ops):
    said = ops("drill", "run", "D3", "--json")
    assert said.code == 0
    assert [(row["drill"], row["variant"], row["holds"]) for row in said.json()] == [
        ("D3", "unguarded", True),
        ("D3", "guarded", True),
    ]


def test_a_drill_is_found_however_it_is_written_and_runs_once(ops):
    said = ops("drill", "run", "d3", "D3")
    assert (said.code, said.out.count("other libraries")) == (0, 2)


def test_an_unknown_drill_is_wrong_usage_and_runs_nothing(ops):
    said = ops("drill", "run", "D2", "D222")
    assert said.code == 2
    assert "There is no drill 'D222'" in said.err
    assert "Did you mean 'D22'?" in said.err
    assert said.out == ""
