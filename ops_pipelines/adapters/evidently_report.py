"""The drift report that people read: our verdict, above Evidently's pictures of reference and current.

Evidently draws and counts, and judges nothing here: its own tests flag most quiet weeks, and two verdicts on one page
would be one too many. Importing it takes seconds, so that a report is for an alarm or a request, not for every week.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.dagster_home import QUIET
from ops_pipelines.core.errors import DataError, SchemaMismatch, near_miss

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 20
"""As many of a column's categories have bars of their own; a picture of more cannot be read."""
OTHERS = "(all others)"
_STYLE = """
.ops { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; background: #fff; padding: 20px 28px; }
.ops h1 { font-size: 22px; margin: 0 0 8px; }
.ops table { border-collapse: collapse; margin: 12px 0; }
.ops th, .ops td { border-bottom: 1px solid #d5dce4; padding: 4px 18px 4px 0; text-align: left; }
.ops .number { text-align: right; font-variant-numeric: tabular-nums; }
.ops .note { color: #55606c; max-width: 60em; }
"""


@dataclass(frozen=True, slots=True)
class JudgedColumn:
    """One row of the verdict's table; None is shown as a dash."""

    column: str
    effect: float | None
    threshold: float | None
    adjusted_p: float | None
    verdict: str


def render(
    reference: "pd.DataFrame",
    current: "pd.DataFrame",
    *,
    title: str,
    judged: Sequence[JudgedColumn],
    reasons: Sequence[str] = (),
    columns: Sequence[str] = (),
    rows: int = 1000,
    seed: int = 0,
) -> bytes:
    """One HTML page that needs no network: title, reasons, the verdict's table, then a picture for each column.

    The pictures come in the order of `columns`, or of `judged` where that is empty; they show shares, and are drawn from
    at most `rows` rows of each side, the same ones for the same seed. Numbers are drawn in bins, everything else by its
    commonest categories, an instant by its day; an infinite number counts as missing. In the pictures' names and
    categories angle brackets become single quotation marks of that form. The page holds no row of the data, only counts.

    DataError where a side has no rows or there is no column to draw; SchemaMismatch where a side has no such column, or
    has it twice.
    """
    names = list(dict.fromkeys(columns or [row.column for row in judged]))
    if not names:
        raise DataError(
            f"The report {title!r} has no column to draw",
            expected="at least one column",
            action="Name the columns, or pass the rows of the verdict",
        )
    for side, frame in (("reference", reference), ("current", current)):
        _check_side(side, frame, names)
    samples = [_sample(frame, rows, seed) for frame in (reference, current)]
    sizes = [f"{len(sample):,} of {len(frame):,}" for sample, frame in zip(samples, (reference, current), strict=True)]
    head = _head(title, judged, reasons, sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Evidently's dependencies to each other, and of means of nothing
        page = _draw(*(sample[names] for sample in samples))
    return _joined(page, title, head).encode(errors="replace")


def _check_side(side: str, frame: "pd.DataFrame", names: Sequence[str]) -> None:
    if not len(frame):
        raise DataError(
            f"The {side} of the drift report has no rows",
            expected="rows on both sides",
            action="Choose a week that has data",
            side=side,
        )
    found = list(frame.columns)
    for name in names:
        if found.count(name) != 1:
            raise SchemaMismatch(
                f"The {side} of the drift report has {found.count(name)} columns {name!r}",
                expected="each column to draw once on both sides",
                action=near_miss(name, map(str, found)) if name not in found else "Rename one of them",
                side=side,
                column=name,
            )


def _sample(frame: "pd.DataFrame", rows: int, seed: int) -> "pd.DataFrame":
    return frame.sample(n=rows, random_state=seed) if len(frame) > rows else frame


def _draw(reference: "pd.DataFrame", current: "pd.DataFrame") -> str:
    """Evidently's page of the columns that both frames have, in their order."""
    import pandas as pd

    sides: tuple[dict[str, Any], dict[str, Any]] = {}, {}
    numeric = []
    for name in reference.columns:
        label = _harmless(str(name))
        pair = [frame[name].reset_index(drop=True) for frame in (reference, current)]
        if _are_numbers(pair):
            numeric.append(label)
            drawn = [_finite(values) for values in pair]
        else:
            drawn = _categories(pair)
        for side, values in zip(sides, drawn, strict=True):
            side[label] = values
    return _evidently()(pd.DataFrame(sides[0]), pd.DataFrame(sides[1]), numeric)


def _are_numbers(pair: "Sequence[pd.Series[Any]]") -> bool:
    """Whether one side has numbers and the other has numbers or nothing."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    numbers = [is_numeric_dtype(values) and not is_bool_dtype(values) for values in pair]
    return any(numbers) and all(number or values.isna().all() for number, values in zip(numbers, pair, strict=True))


def _finite(values: "pd.Series[Any]") -> "pd.Series[Any]":
    import numpy as np
    import pandas as pd

    numbers = pd.Series(values.to_numpy(dtype=float, na_value=np.nan))
    return numbers.where(np.isfinite(numbers))


def _categories(pair: "Sequence[pd.Series[Any]]") -> "list[pd.Series[Any]]":
    """Texts, or None where missing; the rarer categories of both sides together as one."""
    import pandas as pd

    texts = [_texts(values) for values in pair]
    shares = pd.concat([values.value_counts(normalize=True) for values in texts], axis=1).sum(axis=1)
    # By name where two are equally common, so that the same data give the same picture.
    ranked = shares.sort_index().sort_values(ascending=False, kind="stable")
    if len(ranked) <= MOST_CATEGORIES:
        return texts
    kept = set(ranked.index[: MOST_CATEGORIES - 1])
    return [values.where(values.isna() | values.isin(kept), OTHERS) for values in texts]


def _texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
    import pandas as pd
    from pandas.api.types import is_datetime64_any_dtype

    days = values.dt.strftime("%Y-%m-%d") if is_datetime64_any_dtype(values) else values
    texts = [None if absent else _harmless(str(value)) for value, absent in zip(days, days.isna(), strict=True)]
    return pd.Series(texts, dtype=object)


def _harmless(text: str) -> str:
    """A text that ends no script: Evidently writes its data into one without escaping."""
    return text.replace("<", "\u2039").replace(">", "\u203a")


@cache
def _evidently() -> "Callable[[pd.DataFrame, pd.DataFrame, Sequence[str]], str]":
    """Evidently, imported once: makes its page of two frames and the names of their numeric columns."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import ValueStats

    class Shares(ValueStats):
        """A column's statistics without tests; its picture shows shares, since the sides have different sizes."""

        def render(self, *args: Any, **kwargs: Any) -> Any:
            widgets = super().render(*args, **kwargs)
            for widget in widgets:
                _show_shares(widget.params["graph"])
            return widgets

    def draw(reference: "pd.DataFrame", current: "pd.DataFrame", numeric: Sequence[str]) -> str:
        categorical = [name for name in current.columns if name not in numeric]
        definition = DataDefinition(numerical_columns=list(numeric), categorical_columns=categorical)
        sides = [Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)]
        # Tests are switched off here alone: a ValueStats without tests does not find its own numbers again (0.7.23).
        report = Report([Shares(column=name) for name in current.columns], include_tests=False)
        page: str = report.run(*sides).get_html_str(as_iframe=False)
        return page

    return draw


def _show_shares(graph: dict[str, Any]) -> None:
    """Presses the button "perc" of one of Evidently's pictures, and puts the bars in the middle of their bins."""
    for trace in graph["data"]:
        trace["visible"] = not trace["visible"]
        if len(trace["x"]) == len(trace["y"]) + 1:
            trace["x"] = [(left + right) / 2 for left, right in zip(trace["x"][:-1], trace["x"][1:], strict=True)]
    for menu in graph["layout"]["updatemenus"]:
        menu["active"] = 1
    graph["layout"]["yaxis"]["title"] = {"text": "Percent"}


def _head(title: str, judged: Sequence[JudgedColumn], reasons: Sequence[str], sizes: Sequence[str]) -> str:
    table = "\n".join(_row(row) for row in judged)
    listed = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"""
<style>{_STYLE}</style>
<section class="ops">
<h1>{escape(title)}</h1>
{f"<ul>{listed}</ul>" if listed else ""}
<table>
<tr><th>column</th><th class="number">effect</th><th class="number">threshold</th><th class="number">adjusted p</th>
<th>verdict</th></tr>
{table}
</table>
<p class="note">This table is the verdict. The pictures below are drawn by Evidently from samples
({sizes[0]} rows of the reference, {sizes[1]} of the current week) and judge nothing.</p>
</section>
"""


def _row(row: JudgedColumn) -> str:
    numbers = "".join(f'<td class="number">{_number(n)}</td>' for n in (row.effect, row.threshold, row.adjusted_p))
    return f"<tr><td>{escape(row.column)}</td>{numbers}<td>{escape(row.verdict)}</td></tr>"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _joined(page: str, title: str, head: str) -> str:
    # The data hold no `<`, and the library comes after the body begins: the first <body> is the page's own.
    before, body, after = page.partition("<body>")
    return f"{before.strip().replace('</head>', f'<title>{escape(title)}</title></head>')}{body}{head}{after}"
