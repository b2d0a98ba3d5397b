"""The page about operating an agent: each command is run in order, and says what the page says that it does."""

import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ops_pipelines.adapters.project import find_project

PAGE = (Path(__file__).parents[1] / "docs" / "agents_operating.md").read_text()
ID = re.compile(r"\b[0-9a-f]{12}\b|\b[0-9a-f]{32}\b")
OTHER_EACH_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|\d[\d.]* (?:ms|s|min)(?: \d+ s)?\b|(?<=digest )\S+")
ANYTHING = "…"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def commands():
    """Each command of the page with the lines that it is said to print."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield command, lines


def said_by(words, capsys):
    from ops_pipelines.cli import main

    sys.argv = ["ops", *words]
    with suppress(SystemExit):
        main()
    return capsys.readouterr().out.splitlines()


def compare(told, found, ids):
    """Each line of the page is a line of the answer, in order, once the ids of the page stand for those of today."""
    left = iter(found)
    for line in told:
        if line == ANYTHING:
            continue
        for candidate in left:
            if is_line(line, candidate, ids):
                break
            assert ANYTHING in told, f"{candidate!r} is not {line!r}"
        else:
            pytest.fail(f"{line!r} is nowhere in {found}")


def is_line(told, found, ids):
    start = told.rstrip().removesuffix(ANYTHING)
    if plain(start) != plain(found if start == told.rstrip() else found[: len(start)]):
        return False
    ids.update(zip(ID.findall(start), ID.findall(found), strict=False))
    return True


def plain(line):
    return OTHER_EACH_TIME.sub("T", ID.sub("ID", line)).rstrip()


@pytest.mark.long
def test_the_page_is_what_happens(tmp_path, monkeypatch, capsys):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "refunds.cedar").write_text(blocks("cedar")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ben")
    monkeypatch.setattr(sys, "argv", [])
    find_project.cache_clear()
    exec(compile(blocks("python")[0], "the page", "exec"), {})
    ids: dict[str, str] = {}
    for command, told in commands():
        words = [ids.get(word, word) for word in shlex.split(command)[1:]]
        compare(told, said_by(words, capsys), ids)
    find_project.cache_clear()


def test_every_command_that_the_page_names_is_there():
    from ops_pipelines.cli.agent import VERBS

    named = {word for word in re.findall(r"ops agent (\w+)", PAGE) if word != "memory"}
    assert named <= VERBS.keys()
