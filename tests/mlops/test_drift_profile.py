import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.mlops.calibration import Expectations
from ops_pipelines.mlops.drift import FEATURE
from ops_pipelines.mlops.drift_profile import ColumnProfile, profile_column


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([None, 0.0, -0.0, 1.0, 1.5, -7.0, 1e300, math.inf, -math.inf]), min_size=1, max_size=9))
def test_every_number_falls_into_one_bin(numbers) -> None:
    values = pd.Series(numbers, dtype=float)
    known = profile_column("x", FEATURE, pd.Series([0.0, 0.0, 1.0, 2.0]), np.array([1, 1, 2, 2]))
    itself = profile_column("x", FEATURE, values, np.arange(len(values)))
    for column in (known, itself):
        counts = column.histogram(values)
        assert counts.tolist() == np.bincount(column.placed(values), minlength=len(counts)).tolist()
        assert counts.sum() == len(values)
        assert counts[-1] == numbers.count(None)
        assert len(column.bins()) == len(column.counts) == len(counts)
    assert sum(itself.counts) == len(values)
    json.loads(canonical_json(list(itself.edges)))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([None, "a", "b", "z", "", "missing"]), min_size=1, max_size=9))
def test_every_text_falls_into_one_bin(texts) -> None:
    known = profile_column("x", FEATURE, pd.Series(["a", "b", None]), np.array([1, 1, 2]))
    counts = dict(zip(known.bins(), known.histogram(pd.Series(texts, dtype=object)).tolist(), strict=True))
    unseen = sum(text not in ("a", "b", None) for text in texts)
    assert counts == {
        "a": texts.count("a"),
        "b": texts.count("b"),
        "never seen": unseen,
        "missing": texts.count(None),
    }


def test_numbers_get_ten_bins_of_equally_many_rows() -> None:
    column = profile_column("x", FEATURE, pd.Series(range(1000)), np.repeat([1, 2], 500))
    assert column.counts == (100,) * 10 + (0,)
    assert (column.bins()[0], column.bins()[1], column.bins()[-2:]) == (
        "below 99.9",
        "99.9 to 199.8",
        ("899.1 or more", "missing"),
    )


def test_a_number_that_fills_more_than_a_bin_has_one_of_its_own() -> None:
    rain = pd.Series([0.0] * 70 + [1.0, 2.0, 3.0] * 10)
    column = profile_column("rain", FEATURE, rain, np.repeat([1, 2], 50))
    counts = dict(zip(column.bins(), column.counts, strict=True))
    assert (counts["below 0"], counts["0"]) == (0, 70)
    assert sum(counts[name] for name in column.bins()[2:-1]) == 30


def test_the_fifty_most_frequent_categories_are_kept_and_rarer_ones_are_not_never_seen() -> None:
    texts = [f"{number:02}" for number in range(60) for _ in range(2 + (number < 50))] + ["new"]
    column = profile_column("x", FEATURE, pd.Series(texts), np.arange(len(texts)) % 2)
    assert column.categories == tuple(f"{number:02}" for number in range(50))
    assert column.bins()[-3:] == ("other", "never seen", "missing")
    assert column.counts[-3:] == (20, 1, 0)  # one window saw what the other never did
    assert column.histogram(pd.Series(["55", "new", "newer", None, "00"]))[-3:].tolist() == [2, 1, 1]


def test_of_a_column_of_names_only_some_are_kept_and_no_name_is_new() -> None:
    texts = pd.Series([f"{number:05}" for number in range(6000)])
    column = profile_column("x", FEATURE, texts, np.arange(6000) % 3)
    assert column.others is None
    assert column.counts[-3:] == (5950, 0, 0)
    assert column.histogram(pd.Series(["a", "b", "00000"]))[-3:].tolist() == [2, 0, 0]


def test_a_profile_from_before_rarer_categories_were_kept_is_still_read() -> None:
    old = {"name": "x", "role": FEATURE, "edges": None, "categories": ["a"], "counts": [5, 2, 1], "strayed": [0.1]}
    (column,) = Expectations.from_json({"columns": [old], "performance": {"losses": [], "gaps": []}}).columns
    assert column == ColumnProfile("x", FEATURE, None, ("a",), (5, 2, 1), (0.1,))
    assert column.histogram(pd.Series(["a", "b", None])).tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["object", "category", "string"])
def test_text_is_the_same_however_it_is_stored(dtype: str) -> None:
    column = profile_column("x", FEATURE, pd.Series(["a", "b", "a", None], dtype=dtype), np.array([1, 1, 2, 2]))
    assert (column.categories, column.counts) == (("a", "b"), (2, 1, 0, 1))
    assert column.histogram(pd.Series(["b", "c", None], dtype=dtype)).tolist() == [0, 1, 1, 1]


def test_a_number_and_its_text_are_one_category() -> None:
    column = profile_column("x", FEATURE, pd.Series([1, "1", 2, None], dtype=object), np.array([1, 1, 2, 2]))
    assert (column.categories, column.counts) == (("1", "2"), (2, 1, 0, 1))


@pytest.mark.parametrize("dtype", ["bool", "boolean", "object"])
def test_booleans_are_two_categories_however_they_are_stored(dtype: str) -> None:
    column = profile_column("x", FEATURE, pd.Series([True, False, True], dtype=dtype), np.array([1, 2, 3]))
    assert (column.categories, column.counts) == (("False", "True"), (1, 2, 0, 0))
    assert column.histogram(pd.Series([True, None], dtype=object)).tolist() == [0, 1, 0, 1]
