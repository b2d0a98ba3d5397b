"""Two lock files compared, package by package."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.environment import Pin, differences, judge_environment, pins_of

LOCK = """\
# made by hand
numpy==2.4.6 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via pandas
feast[duckdb]==0.67.0 ; python_full_version >= '3.11' \\
    --hash=sha256:cc
scikit_learn==1.6.0
"""


def judged(trained: str, running: str):
    return judge_environment(trained.encode(), running.encode())


def test_a_lock_file_is_read_as_pip_reads_it():
    assert pins_of(LOCK) == {
        "feast": (Pin("feast", "0.67.0", "python_full_version >= '3.11'", frozenset({"sha256:cc"})),),
        "numpy": (Pin("numpy", "2.4.6", "", frozenset({"sha256:aa", "sha256:bb"})),),
        "scikit-learn": (Pin("scikit-learn", "1.6.0"),),
    }


def test_a_package_may_be_pinned_otherwise_on_another_platform():
    pins = pins_of("numpy==2.3 ; python_version < '3.12'\nnumpy==2.4 ; python_version >= '3.12'\n")
    assert [pin.label for pin in pins["numpy"]] == ["2.3 (python_version < '3.12')", "2.4 (python_version >= '3.12')"]


def test_a_package_from_an_address_is_pinned_by_it():
    assert pins_of("ours @ file:///wheels/ours-1.0.whl")["ours"][0].version == "file:///wheels/ours-1.0.whl"


def test_a_requirement_without_a_version_is_no_pin():
    with pytest.raises(DataError, match="'numpy>=2' is no pin"):
        pins_of("numpy>=2\n")


def test_the_same_lock_file_passes():
    assert isinstance(judged(LOCK, LOCK), Passed)


def test_another_version_blocks_and_is_named():
    verdict = judged(LOCK, LOCK.replace("2.4.6", "2.5.0"))
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("1 package differs from the environment that it was trained in: numpy 2.4.6 → 2.5.0",)
    assert verdict.evidence["trained"] != verdict.evidence["running"]


def test_a_package_that_came_and_one_that_went_are_named():
    found = differences("a==1\nb==1\n", "b==1\nc==2\n")
    assert [str(difference) for difference in found] == ["a 1 → absent", "c absent → 2"]


def test_of_many_packages_a_reason_names_five_and_the_evidence_all():
    old, new = ("".join(f"p{n}=={version}\n" for n in range(8)) for version in (1, 2))
    verdict = judged(old, new)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons[0].endswith("p4 1 → 2 and 3 more")
    assert len(verdict.evidence["differences"]) == 8


def test_of_a_package_with_several_pins_the_one_that_changed_is_named():
    lock = "numpy==2.3 ; python_version < '3.12'\nnumpy==2.4 ; python_version >= '3.12'\n"
    (found,) = differences(lock, lock.replace("2.4", "2.5"))
    assert str(found) == "numpy 2.4 (python_version >= '3.12') → 2.5 (python_version >= '3.12')"


def test_a_marker_that_changed_is_a_difference():
    assert differences("a==1 ; sys_platform == 'linux'", "a==1")[0].trained == "1 (sys_platform == 'linux')"


def test_a_version_with_none_of_the_same_files_is_a_difference():
    assert [str(d) for d in differences("a==1 --hash=sha256:x", "a==1 --hash=sha256:y")] == ["a 1 with other files"]


def test_further_files_of_a_version_comments_and_order_are_none():
    verdict = judged(
        "a==1 --hash=sha256:x\nb==2\n", "b==2 # why\n# via c\na==1 \\\n  --hash=sha256:x --hash=sha256:y\n"
    )
    assert isinstance(verdict, Passed)
    assert verdict.evidence["trained"] != verdict.evidence["running"]


@pytest.mark.parametrize(
    ("trained", "running", "why"),
    [(b"", b"a==1", "empty"), (b"a==1", b" \n", "empty"), (b"a==1", b"\xff", "cannot be read"), (b"a", b"b", "no pin")],
)
def test_what_is_no_lock_file_cannot_be_judged(trained, running, why):
    verdict = judge_environment(trained, running)
    assert isinstance(verdict, NotEvaluated)
    assert why in verdict.why


def test_a_lock_of_another_form_passes_where_it_is_the_same_to_the_byte():
    assert isinstance(judge_environment(b"[[package]]", b"[[package]]"), Passed)


versions = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2), min_size=1)


@given(versions, versions)
def test_what_differs_is_what_a_comparison_of_the_mappings_says(before, after):
    old, new = ("".join(f"{name}=={version}\n" for name, version in pins.items()) for pins in (before, after))
    expected = sorted({name for name, _ in before.items() ^ after.items()})
    assert [difference.package for difference in differences(old, new)] == expected
