import json
import os
import resource
import subprocess
import sys

import pytest
import typer

from ops_pipelines.cli import VERBS, app, exit_code_of
from ops_pipelines.core.errors import (
    ArtefactError,
    ConfigError,
    DataError,
    LostRace,
    NotAllowed,
    NotPromotable,
    ReleaseError,
)

HEAVY = ("dagster", "mlflow", "feast", "evidently", "lightgbm", "pandas", "pyarrow", "numpy")
HELP = f"""
import sys
from ops_pipelines.cli import main
sys.argv = ["ops", "--help"]
try:
    main()
except SystemExit as ended:
    print([name for name in {HEAVY} if name in sys.modules], ended.code, file=sys.stderr)
"""


def commands():
    group = typer.main.get_command(app)
    context = typer.Context(group)
    return leaves({name: group.get_command(context, name) for name in group.list_commands(context)})


def leaves(verbs, above=""):
    """The commands that do something, by all their words; families have none of their own."""
    found = {}
    for name, verb in verbs.items():
        nested = getattr(verb, "commands", None)
        found.update(leaves(nested, f"{above}{name} ") if nested else {f"{above}{name}": verb})
    return found


def test_without_arguments_ops_lists_every_verb_with_a_line_of_help(ops):
    said = ops()
    assert said.code == 2
    assert [verb for verb in VERBS if f" {verb} " not in said.out + said.err] == []
    assert all(command.get_short_help_str() for command in commands().values())


def test_help_takes_less_than_a_second_of_cpu_and_imports_nothing_heavy():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.strip() == "[] 0"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_every_verb_but_those_that_serve_answers_in_json():
    without = [
        name for name, command in commands().items() if not any("--json" in option.opts for option in command.params)
    ]
    assert without == ["ui", "serve", "gateway", "agent receive"]


def test_every_argument_and_option_has_its_help():
    mute = [f"{name} {option.name}" for name, verb in commands().items() for option in verb.params if not option.help]
    assert mute == []


def test_an_unknown_verb_is_answered_with_the_nearest_one(ops):
    said = ops("promot")
    assert said.code == 2
    assert "Did you mean 'promote'?" in said.err


def test_the_help_of_data_names_its_two_verbs(ops):
    assert "accept or exclude" in ops("--help").out
    said = ops("data")
    assert "accept" in said.out + said.err
    assert "exclude" in said.out + said.err


@pytest.mark.parametrize("words", [("promote",), ("releases",), ("data", "accept", "landings"), ("why", "x", "--deep")])
def test_wrong_usage_exits_with_2(ops, words):
    assert ops(*words).code == 2


def test_errors_exit_with_what_they_mean():
    words = {"expected": "else", "action": "Do it"}
    assert exit_code_of(NotPromotable("no", **words, verdict="blocked")) == 1
    assert exit_code_of(NotPromotable("no", **words, verdict="not evaluated")) == 3
    assert exit_code_of(NotAllowed("no", **words)) == 1
    assert [exit_code_of(kind("no", **words)) for kind in (ConfigError, ReleaseError)] == [2, 2]
    assert [exit_code_of(kind("no", **words)) for kind in (LostRace, DataError, ArtefactError)] == [3, 3, 3]


def test_an_error_in_json_says_its_parts_and_its_exit_code(ops):
    said = ops("why", "nothing", "--json")
    found = said.json()
    assert (said.code, found["exit"], found["error"]) == (2, 2, "ConfigError")
    assert all(found[part] in said.err for part in ("wrong", "expected", "action"))


@pytest.mark.parametrize(
    "words", [("promote",), ("why", "x", "--deep"), ("agent", "fork", "x", "--at", "-1"), ("promot",)]
)
def test_wrong_usage_is_told_in_json_as_any_error(ops, words):
    found = ops(*words, "--json").json()
    assert (found["exit"], bool(found["wrong"])) == (2, True)


def test_an_error_that_nobody_expected_shows_no_traceback(ops, home):
    home.folder.write_text("a file where the home should be")
    said = ops("releases", "flight_delay", "--json")
    assert (said.code, said.json()["exit"]) == (3, 3)
    assert "Traceback" not in said.err
    assert "OPS_TRACEBACK=1" in said.err


def test_outside_a_project_every_verb_says_what_is_missing(tmp_path):
    ops = [sys.executable, "-c", "from ops_pipelines.cli import main; main()", "doctor", "--json"]
    done = subprocess.run(ops, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert "[tool.ops]" in json.loads(done.stdout)["expected"]
