"""What `ops drift retrain` and `ops drift requests` show: a request, the budgets it counts against, and the ledger."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.cli.output import show
from ops_pipelines.core.verdict import Passed, reasons_of

if TYPE_CHECKING:
    from ops_pipelines.adapters.retraining_door import Wanted
    from ops_pipelines.mlops.retraining_requests import Answer
    from ops_pipelines.mlops.retraining_rule import RetrainingRule


def print_asked(wanted: "Wanted", *, sensor: str, dry_run: bool, as_json: bool) -> None:
    """The request with its state, and what its budgets have left."""
    row, state = wanted.request, _state(wanted, dry_run=dry_run)
    if as_json:
        why = list(reasons_of(wanted.verdict))
        show([row.to_json() | {"state": state, "why": why, "sensor": sensor, "budget": _budget(wanted)}], as_json=True)
        return
    told = {"request": row.key, "week": row.week, "because": row.reason, "by": row.actor, "as of": row.as_of}
    show([told | {"state": state}])
    show([_budget_words(wanted)])
    for why in reasons_of(wanted.verdict):
        print(f"It has to wait: {why}. A person may insist with --anyway.")
    if isinstance(wanted.verdict, Passed):
        print(
            f"The sensor {sensor} launches what is written, at its next tick where automation is on: OPS_AUTOMATION=on "
            "ops ui"
        )


def print_ledger(answers: "Sequence[Answer]", rule: "RetrainingRule", *, as_json: bool) -> None:
    """A line a request, the first one first."""
    from ops_pipelines.mlops.retraining_requests import answer_to_json, answer_words

    line = answer_to_json if as_json else answer_words
    price = rule.price_per_cpu_hour_usd
    show([line(answer, price_per_cpu_hour_usd=price) for answer in answers], title="requests", as_json=as_json)


def _state(wanted: "Wanted", *, dry_run: bool) -> str:
    if wanted.stands:
        return "stands since it was asked first"
    if not isinstance(wanted.verdict, Passed):
        return "would be refused" if dry_run else "refused"
    return "would be written" if dry_run else "written"


def _budget(wanted: "Wanted") -> dict[str, Any]:
    """What was spent and is left within the budget's weeks, before this request; None for what is not known or not set."""
    spent, rule = wanted.spent, wanted.rule
    reserved = None if math.isinf(spent.reserved) else round(spent.reserved, 3)
    return {
        "weeks": rule.budget_weeks,
        "runs": {"spent": spent.requests, "of": rule.budget_runs, "left": wanted.runs_left},
        "cpu_seconds": {
            "known": round(spent.cpu_seconds, 3),
            "unknown_runs": spent.unknown_runs,
            "counted_as": reserved,
            "of": rule.budget_cpu_seconds,
            "left": spent.left(rule.budget_cpu_seconds),
        },
    }


def _budget_words(wanted: "Wanted") -> dict[str, str]:
    spent, rule = wanted.spent, wanted.rule
    unknown = f" and {spent.unknown_runs} run(s) of unknown cost" if spent.unknown_runs else ""
    left = spent.left(rule.budget_cpu_seconds)
    return {
        "budget of": f"{rule.budget_weeks} weeks",
        "runs": f"{spent.requests} of {rule.budget_runs}, {wanted.runs_left} left",
        "CPU seconds": f"{spent.cpu_seconds:.1f}{unknown}"
        + ("" if left is None else f" of {rule.budget_cpu_seconds:.1f}, {left:.1f} left"),
    }
