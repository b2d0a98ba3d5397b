from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.evaluation.distribution import distribution_of


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_the_deciles_are_those_of_the_inverted_distribution(values):
    found = distribution_of(values)
    told = [np.percentile(values, percent, method="inverted_cdf") for percent in (50, 90, 100)]
    assert [found.median, found.p90, found.most] == told


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=20), st.data())
def test_what_is_told_of_unknown_values_holds_whatever_they_are(values, data):
    told = distribution_of(values)
    filled = [data.draw(st.integers(-9, 9)) if value is None else value for value in values]
    whole = distribution_of(filled)
    for name in ("median", "p90", "most"):
        assert getattr(told, name) in (None, getattr(whole, name))


def test_nothing_is_told_of_no_values():
    assert distribution_of([]).to_json() == {"runs": 0, "unknown": 0, "median": None, "p90": None, "most": None}
    assert distribution_of([Decimal("0.0003"), None]).to_json()["median"] is None
    assert distribution_of([Decimal("0.0003")]).to_json()["most"] == "0.0003"
