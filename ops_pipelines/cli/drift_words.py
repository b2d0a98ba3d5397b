"""What `ops drift` shows, in words and bars for people."""

from typing import TYPE_CHECKING, Any

from ops_pipelines.cli.judged_week import FINDINGS, NEVER
from ops_pipelines.cli.output import show
from ops_pipelines.core.fingerprint import short

if TYPE_CHECKING:
    from ops_pipelines.cli.judged_week import JudgedWeek

_LIMIT_AT, _BAR = 10, 20


def week_words(week: "JudgedWeek") -> dict[str, str]:
    """The line of the week for people."""
    row = week.to_json()
    return {
        "week": week.key,
        "release": short(week.release) if week.release else "",
        "loss": _limited(row["loss"], row["loss_limit"], ".3f"),
        "gap": _limited(row["gap"], row["gap_limit"], "+.3f"),
        "coverage": _text(row["coverage"], ".1%"),
        **{name.replace("_", " "): row[name] for name in FINDINGS},
        "open episodes": ", ".join(" since ".join(key.split("/")[-2:]) for key in week.episodes),
    }


def print_week(known: dict[str, Any]) -> None:
    section(f"verdicts on {known['week']}", _verdict_words(known["verdicts"]))
    columns = [{name: row[name] for name in ("name", "role", "rows")} | _effect_words(row) for row in known["columns"]]
    section("how far each column is from the training period, the worst first", columns)
    section("how the scores turned out, with intervals over the days", _measured_words(known["measured"]))
    section("the loss as the scores alone let expect, before any outcome", [_estimate_words(known["estimate"])])
    section("the release before, on the same rows", [_before_words(known["before"])])
    print(f"report: {known['report'] or 'none was made'}")


def section(title: str, rows: list[dict[str, Any]]) -> None:
    """A titled table and an empty line, also where no terminal would show the title."""
    print(title)
    show(rows)
    print()


def _verdict_words(verdicts: dict[str, Any]) -> list[dict[str, str]]:
    """One row a reason, so that none is cut."""
    never: dict[str, Any] = {"verdict": NEVER, "reasons": []}
    return [
        {"finding": name.replace("_", " "), "verdict": (found or never)["verdict"], "because": reason}
        for name, found in verdicts.items()
        for reason in (found or never)["reasons"] or [""]
    ]


def without_bins(column: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in column.items() if name not in ("bins", "reference", "current")}


def through_words(row: dict[str, Any]) -> dict[str, Any]:
    words = _effect_words(row)
    bar = f"{words['ratio']:<6}{_ratio_bar(row['ratio'])}" if row["limit"] else ""
    return {"week": row["week"]} | words | {"ratio": bar}


def _effect_words(column: dict[str, Any]) -> dict[str, str]:
    return {
        "PSI": f"{column['effect']:.3f}",
        "limit": _text(column["limit"], ".3f") or "too few weeks",
        "ratio": f"{column['ratio']:.2f}" if column["limit"] else "",
        "adjusted p": f"{column['p_value']:.1g}",
        "flagged": "flagged" if column["flagged"] else "",
        "moved most": column["moved"],
    }


def _measured_words(numbers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a group, where the lake has one for each of its measures."""
    groups: dict[str, dict[str, Any]] = {}
    for row in numbers:
        group = groups.setdefault(row["name"], {"of": row["name"], "rows": row["rows"]})
        sign = "+" if row["measure"] == "gap" else ""
        interval = f" [{row['low']:{sign}.3f}, {row['high']:{sign}.3f}]" if row["low"] is not None else ""
        limit = f" limit {row['limit']:.3f}" if row["limit"] is not None else ""
        group[row["measure"].replace("_", " ")] = _text(row["value"], f"{sign}.3f") + interval + limit
    return list(groups.values())


def _estimate_words(estimate: dict[str, Any]) -> dict[str, str]:
    told = estimate.get("evidence", {})
    if "loss" not in told:
        return {"estimate": "; ".join(estimate.get("reasons", [])) or "none was made"}
    interval = f"{told['loss']:.3f} [{told['low']:.3f}, {told['high']:.3f}]"
    beyond = {"passed": "no", "blocked": "yes"}.get(estimate["verdict"], "cannot be told")
    return {"estimate": interval, "limit": f"{told['limit']:.3f}", "beyond it, as far as scores tell": beyond}


def _before_words(before: dict[str, Any]) -> dict[str, str]:
    if not before:
        return {"release": "none was live before, or no outcome is known"}
    if before.get("loss") is None:
        return {"release": short(before["release"]), "loss": before.get("why", "not known")}
    gain = _text(before["gain"], "+.4f")
    if before["low"] is not None:
        gain += f" [{before['low']:+.4f}, {before['high']:+.4f}]"
    return {"release": short(before["release"]), "loss": f"{before['loss']:.4f}", "gain by its successor": gain}


def histogram(column: dict[str, Any]) -> list[dict[str, Any]]:
    """The bins of a column with their shares in the training period and in the week."""
    shares = zip(column["bins"], column["reference"], column["current"], strict=True)
    return [{"bin": name, "training": before, "week": now} for name, before, now in shares]


def histogram_words(bins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    largest = max((max(row["training"], row["week"]) for row in bins), default=0.0) or 1.0
    return [
        {"bin": row["bin"]}
        | {
            side: f"{row[side]:6.1%} {'█' * round(row[side] / largest * _BAR)}".rstrip()
            for side in ("training", "week")
        }
        for row in bins
    ]


def _ratio_bar(ratio: float) -> str:
    """Ten blocks up to the limit, then a line and at most ten more."""
    blocks = round(ratio * _LIMIT_AT)
    inside = ("█" * min(blocks, _LIMIT_AT)).ljust(_LIMIT_AT, "·")
    beyond = "█" * min(blocks - _LIMIT_AT, _LIMIT_AT)
    return f"{inside}|{beyond}" if ratio > 1 else inside


def _limited(value: float | None, limit: float | None, form: str) -> str:
    """A number with its limit in brackets; empty where there is none."""
    return _text(value, form) + (f" ({limit:.3f})" if value is not None and limit is not None else "")


def _text(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"
