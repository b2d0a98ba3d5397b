import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.adapters.evidently_report import MOST_CATEGORIES, OTHERS, JudgedColumn, render
from ops_pipelines.core.errors import DataError, SchemaMismatch

ROWS = 60
HOSTILE = "</script><script>alert(1)</script>"
JUDGED = [
    JudgedColumn("distance", 0.3127, 0.25, 0.0001, "drifted"),
    JudgedColumn("a<b", None, None, None, "not judged"),
]


def frame(seed: int, rows: int = ROWS) -> pd.DataFrame:
    """Columns of every kind that a picture could stumble over."""
    random = np.random.default_rng(seed)
    days = pd.date_range("2013-01-01", periods=3, tz="UTC")
    return pd.DataFrame(
        {
            "distance": random.normal(seed, 1, rows),
            "a<b": random.choice(["<b>bold</b>", HOSTILE, None], rows),
            "count": pd.array([1, None] * (rows // 2), dtype="Int64"),
            "carrier": random.choice([f"C{n:02}" for n in range(50)], rows),
            "flag": random.random(rows) < 0.3,
            "asked_at": random.choice(days, rows),
            "level": pd.Categorical(["low"] * rows),
            "constant": 7.0,
            "infinite": [np.inf, 1.0] * (rows // 2),
            "never": None,
            "new": random.normal(size=rows) if seed else np.full(rows, np.nan),
            "gone": np.full(rows, np.nan) if seed else random.normal(size=rows),
            "untyped": random.normal(size=rows) if seed else None,
        }
    )


COLUMNS = ["carrier", *(name for name in frame(0).columns if name != "carrier")]


def pictures(page: bytes) -> dict[str, dict[str, Any]]:
    """Evidently's widgets by the column that they show, in the page's order."""
    data = re.search(r"var metric_\w+ = (\{.*?\});\n", page.decode(), re.DOTALL)
    assert data
    widgets, found = [json.loads(data[1])], {}
    while widgets:
        widget = widgets.pop(0)
        widgets += widget.get("widgets") or []
        if "metrics" in (widget.get("params") or {}):
            found[widget["params"]["header"]] = widget["params"]
    return found


def drawn(picture: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The bars that are visible at first, by side."""
    return {trace["name"]: trace for trace in picture["graph"]["data"] if trace["visible"]}


@pytest.fixture(scope="module")
def page() -> bytes:
    return render(
        frame(0), frame(1), title="Week <1>", judged=JUDGED, reasons=["a<b was not judged"], columns=COLUMNS, rows=50
    )


def test_the_verdict_stands_escaped_above_the_pictures(page):
    head = page.decode().partition("<body>")[2].partition("</section>")[0]
    assert "<h1>Week &lt;1&gt;</h1>" in head
    assert "<li>a&lt;b was not judged</li>" in head
    assert ">0.313<" in head
    assert ">0.0001<" in head
    assert "<td>a&lt;b</td>" in head
    assert "50 of 60 rows of the reference" in head
    assert "<title>Week &lt;1&gt;</title></head>" in page.decode()


def test_each_column_has_a_picture_of_both_sides_in_the_given_order(page):
    found = pictures(page)
    assert list(found) == [name.replace("<", "\u2039") for name in COLUMNS]
    assert all(drawn(picture).keys() == {"current", "reference"} for picture in found.values())


def test_a_picture_shows_shares(page):
    bars = drawn(pictures(page)["distance"])
    assert all(sum(side["y"]) == pytest.approx(100) for side in bars.values())
    assert all(len(side["x"]) == len(side["y"]) for side in bars.values())


def test_rare_categories_share_a_bar(page):
    bars = drawn(pictures(page)["carrier"])
    names = {name for side in bars.values() for name in side["x"]}
    assert OTHERS in names
    assert len(names) == MOST_CATEGORIES


def test_kinds_of_columns_are_told_apart(page):
    kinds = {name: picture["description"] for name, picture in pictures(page).items()}
    numbers = {"distance", "count", "constant", "infinite", "new", "gone", "untyped"}
    assert {name for name, kind in kinds.items() if kind == "num"} == numbers
    assert drawn(pictures(page)["asked_at"])["current"]["x"][0].startswith("2013-01-0")


def test_evidently_judges_nothing(page):
    data = page.decode().partition("<body>")[0]
    assert not re.search(r"drift (is )?(not )?detected|p_value|stattest|v2_test", data, re.IGNORECASE)


def test_no_text_of_the_data_is_markup(page):
    text = page.decode()
    assert "alert(1)" in text  # drawn, and as nothing but text
    assert "<script>alert" not in text
    assert "<b>bold" not in text


def test_the_page_needs_no_network(page):
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[^>]*>", page.decode().partition("</head>")[0])
    after = re.findall(r"<script[^>]+src=", page.decode())
    assert (tags, after) == ([], [])
    assert b"url(http" not in page


@pytest.mark.long
def test_the_same_seed_draws_the_same_sample():
    reference, current = frame(0, 4000), frame(1, 4000)
    pages = [
        pictures(render(reference, current, title="t", judged=JUDGED, columns=["distance", "carrier"], seed=seed))
        for seed in (1, 1, 2)
    ]
    assert pages[0] == pages[1] != pages[2]


@pytest.mark.parametrize("side", ["reference", "current"])
def test_a_side_without_rows_is_named(side):
    sides = {"reference": frame(0), "current": frame(1)}
    sides[side] = sides[side].head(0)
    with pytest.raises(DataError, match=f"The {side} of the drift report has no rows"):
        render(**sides, title="t", judged=JUDGED)


@pytest.mark.parametrize("side", ["reference", "current"])
def test_a_column_missing_on_one_side_is_named_with_a_near_miss(side):
    sides = {"reference": frame(0), "current": frame(1)}
    sides[side] = sides[side].rename(columns={"distance": "distances"})
    with pytest.raises(SchemaMismatch, match=f"The {side} .* 0 columns 'distance'.*Did you mean 'distances'") as caught:
        render(**sides, title="t", judged=JUDGED)
    assert caught.value.facts == {"side": side, "column": "distance"}


def test_a_column_that_is_there_twice_is_refused():
    twice = pd.concat([frame(0), frame(0)[["distance"]]], axis=1)
    with pytest.raises(SchemaMismatch, match="2 columns 'distance'"):
        render(twice, frame(1), title="t", judged=JUDGED)


def test_nothing_to_draw_is_refused():
    with pytest.raises(DataError, match="no column to draw"):
        render(frame(0), frame(1), title="t", judged=[])
