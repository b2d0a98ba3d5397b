import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.adapters.answer_frames import frame_of, framed, frames_in
from ops_pipelines.adapters.answer_spool import AnswerSpool, set_aside
from ops_pipelines.core.errors import DataError, SchemaMismatch
from ops_pipelines.mlops.prediction_log import Answer
from ops_pipelines.testing.prediction_log import answer_of

FORKED = """
import os, sys
from pathlib import Path
from ops_pipelines.adapters.answer_spool import AnswerSpool
from ops_pipelines.testing.prediction_log import answer_of

spool = AnswerSpool(Path(sys.argv[1]))
spool.append([answer_of("before")], durable=False)
child = os.fork()
spool.append([answer_of("parent" if child else "child")], durable=True)
if child:
    os.waitpid(child, 0)
"""


@pytest.fixture
def spool(tmp_path: Path) -> AnswerSpool:
    return AnswerSpool(tmp_path / "log" / "spool")


@pytest.fixture
def left_behind(tmp_path: Path) -> Path:
    """A file of three frames whose writer is gone."""
    (tmp_path / "log").mkdir()
    spool = AnswerSpool(tmp_path / "log" / "spool")
    for name in "abc":
        spool.append([answer_of(name)], durable=False)
    (file,) = spool.folder.iterdir()
    return file


def ids(answers: tuple[Answer, ...]) -> list[str]:
    return [answer.id for answer in answers]


def take_in(folder: Path) -> list[str]:
    """The ids of all that a folder holds, its files let go of as a reader would."""
    spool, found = AnswerSpool(folder), []
    for name in spool.files():
        spooled = spool.read(name, 0)
        found += ids(spooled.frames.answers)
        if spooled.is_over:
            spool.let_go(spooled)
    return found


@given(st.lists(st.integers(0, 3), max_size=6), st.data())
@settings(deadline=None)
def test_of_a_file_that_was_cut_off_anywhere_every_whole_frame_is_read(sizes, data):
    frames = [frame_of([answer_of(f"{n}-{row}") for row in range(size)]) for n, size in enumerate(sizes)]
    content = b"".join(frames)
    cut = data.draw(st.integers(0, len(content)))
    found = frames_in(content[:cut], 0, is_over=True)
    whole = [n for n in range(len(frames)) if sum(map(len, frames[: n + 1])) <= cut]
    assert ids(found.answers) == [f"{n}-{row}" for n in whole for row in range(sizes[n])]
    assert not found.is_damaged


def test_a_file_is_read_on_from_where_it_was_read_to(spool):
    spool.append([answer_of("a")], durable=False)
    (name,) = spool.files()
    first = spool.read(name, 0)
    spool.append([answer_of("b")], durable=True)
    then = spool.read(name, first.frames.end)
    assert (ids(first.frames.answers), ids(then.frames.answers), then.is_over) == (["a"], ["b"], False)


def test_zeros_after_a_power_cut_are_no_answers_and_hide_none(left_behind):
    with left_behind.open("ab") as file:
        file.write(b"\0" * 4096)
    assert take_in(left_behind.parent) == ["a", "b", "c"]


def test_what_is_damaged_hides_nothing_else_and_is_set_aside_for_people(left_behind):
    content = bytearray(left_behind.read_bytes())
    content[20] ^= 1
    left_behind.write_bytes(content)
    assert take_in(left_behind.parent) == ["b", "c"]
    (kept,) = left_behind.parent.iterdir()
    assert kept.read_bytes() == bytes(content)
    assert take_in(left_behind.parent) == []
    assert set_aside(left_behind.parents[2]) == [kept]


def test_an_unfinished_frame_is_not_damage_and_its_file_is_removed(left_behind):
    os.truncate(left_behind, left_behind.stat().st_size - 1)
    assert take_in(left_behind.parent) == ["a", "b"]
    assert list(left_behind.parent.iterdir()) == []


def test_a_frame_of_a_newer_version_is_an_error_and_not_passed_over(left_behind):
    with left_behind.open("ab") as file:
        file.write(framed(b"\x93\x01\x02\x03"))
    with pytest.raises(DataError, match="Upgrade"):
        take_in(left_behind.parent)
    assert left_behind.exists()


def test_a_file_is_never_seen_before_its_writer_holds_it(spool):
    spool.append([answer_of("a")], durable=False)
    (name,) = spool.files()
    opened = os.open(spool.folder / name, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.close(opened)
    (spool.folder / f".{name}.aside").touch()
    assert spool.files() == [name]


def test_files_are_listed_as_they_were_begun(tmp_path):
    (tmp_path / "log").mkdir()
    spool = AnswerSpool(tmp_path / "log" / "spool", full_bytes=1)
    for number in range(12):
        spool.append([answer_of(str(number))], durable=False)
    assert take_in(spool.folder) == [str(number) for number in range(12)]


def test_a_forked_process_begins_a_file_of_its_own(tmp_path):
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path / "log" / "spool")], check=True)
    assert len(list((tmp_path / "log" / "spool").iterdir())) == 2
    assert sorted(take_in(tmp_path / "log" / "spool")) == ["before", "child", "parent"]


def test_of_answers_that_could_not_be_read_back_nothing_is_written(spool):
    with pytest.raises(SchemaMismatch, match="64 bits"):
        spool.append([answer_of("a"), answer_of(5)], durable=False)  # type: ignore[arg-type]
    assert spool.files() == []


def test_two_readers_may_let_go_of_one_file(left_behind):
    first, second = AnswerSpool(left_behind.parent), AnswerSpool(left_behind.parent)
    seen = [reader.read(left_behind.name, 0) for reader in (first, second)]
    first.let_go(seen[0])
    second.let_go(seen[1])
    assert second.read(left_behind.name, 0).is_over
