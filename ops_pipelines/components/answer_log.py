"""A day's answers and calls, compacted from the log into the lake, and forgotten by the log some time later.

What lies in the lake stays: a day that is compacted again holds what it held and what the log has besides. The log forgets
a day at the compaction of another one, when the day and one more are over and each of its rows is in the lake: whatever
dies in between, a row lies in one of the two.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.call_records import calls_in
from ops_pipelines.adapters.compacted import compacted
from ops_pipelines.adapters.daily_logs import daily_logs
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.released_budgets import budgets_of_all
from ops_pipelines.components.publishing import Product, shown_table, unmade, why_command
from ops_pipelines.core.clock import Window, window_of_day
from ops_pipelines.core.compaction import judge_compaction, unite
from ops_pipelines.core.fingerprint import digest_table, short
from ops_pipelines.core.verdict import Verdict
from ops_pipelines.llmops import answer_table, call_table
from ops_pipelines.llmops.answer_log import OVER_BUDGET
from ops_pipelines.llmops.answer_rates import RateRule, judge_errors, judge_stopped
from ops_pipelines.llmops.answer_table import ANSWERS, Outline, outlines_of_table, table_of_answers
from ops_pipelines.llmops.budget import Budget
from ops_pipelines.llmops.budget_use import BudgetUse, judge_budget_use, uses_of
from ops_pipelines.llmops.call_log import ANSWERED, Call
from ops_pipelines.llmops.call_table import CALLS, calls_of_table, table_of_calls
from ops_pipelines.llmops.spending import LatencyBudget, Spending, judge_latency, spending_by

if TYPE_CHECKING:
    pass

COMPLETE = "is_complete"
LATENCY, SPEND, ERRORS, STOPPED = "latency", "spend", "errors", "stopped"
_LAST_CALL = timedelta(hours=1)
"""How long after its day a question's last call may be made."""
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class DayRule:
    """How a day's answers are judged; without a latency budget how long they took is not."""

    rates: RateRule = field(default_factory=RateRule)
    latency: LatencyBudget | None = None

    @property
    def findings(self) -> tuple[str, ...]:
        """The names of what is found in a day."""
        return (*([LATENCY] if self.latency else []), SPEND, ERRORS, STOPPED)


def make_answers(system: str, platform: Platform, day: str, rule: DayRule) -> Product:
    """What a system answered on a day, with what it cost; NotEvaluated, and nothing else, where nobody asked."""
    window, key = window_of_day(day), f"{system}/{ANSWERS}"
    logged = platform.answers.answers(window, system)
    kept, came = compacted(platform.lake, key, day), table_of_answers(logged, _ledger(platform, system, window))
    table = unite(kept, came, key=answer_table.ID)
    verdict = judge_compaction(
        kept, came, key=answer_table.ID, said=answer_table.SAID, what="answers", nothing="nobody asked"
    )
    forgotten = _forget(platform, ANSWERS, system, day)
    if not table.num_rows:
        return unmade(verdict, {}, rule.findings)
    answers = outlines_of_table(table)
    budgets = _budgets(platform, system, answers)
    refused = [(one.caller, one.asked_at) for one in answers if one.outcome == OVER_BUDGET]
    uses = uses_of(budgets, platform.budgets, window, platform.clock.wall(), refused)
    return Product(
        table,
        digest_table(table, key=[answer_table.ID]),
        verdict,
        {},
        facts={"releases": sorted({one.caller.release for one in answers})},
        shown=_shown_answers(answers, uses, table.num_rows - kept.num_rows, forgotten),
        findings=_judge_day(answers, rule) | {SPEND: judge_budget_use(budgets, uses, refused=len(refused))},
    )


def make_calls(system: str, platform: Platform, day: str) -> Product:
    """What models were asked for a system on a day, and what that cost; NotEvaluated where nothing was asked."""
    key, logged = f"{system}/{CALLS}", list(platform.calls.calls(window_of_day(day), system))
    kept, came = compacted(platform.lake, key, day), table_of_calls(logged)
    table = unite(kept, came, key=call_table.ID)
    verdict = judge_compaction(
        kept, came, key=call_table.ID, said=call_table.SAID, what="calls", nothing="no model was asked"
    )
    forgotten = _forget(platform, CALLS, system, day)
    if not table.num_rows:
        return unmade(verdict, {}, ())
    shown = {
        "spending": shown_table(map(_spent, spending_by(calls_of_table(table), ["feature", "tenant", "model"]))),
        **_moved(table.num_rows - kept.num_rows, forgotten),
    }
    return Product(table, digest_table(table, key=[call_table.ID]), verdict, {}, shown=shown)


def _ledger(platform: Platform, system: str, window: Window) -> Mapping[str, Call]:
    """The calls by id that a day's answers can have taken."""
    return {call.id: call for call in calls_in(platform, Window(window.start, window.end + _LAST_CALL), system)}


def _forget(platform: Platform, part: str, system: str, day: str) -> list[str]:
    log = daily_logs(platform)[part]
    return log.forget_compacted(platform.lake, system, made=day, now=platform.clock.wall())


def _budgets(platform: Platform, system: str, answers: Sequence[Outline]) -> tuple[Budget, ...]:
    """The budgets of the releases that answered; of two of a name that of the later one."""
    in_order = sorted(answers, key=lambda one: one.asked_at)
    return budgets_of_all(platform, system, (one.caller.release for one in in_order))


def _judge_day(answers: Sequence[Outline], rule: DayRule) -> dict[str, Verdict]:
    outcomes = [one.outcome for one in answers]
    found = {ERRORS: judge_errors(outcomes, rule.rates), STOPPED: judge_stopped(outcomes, rule.rates)}
    if rule.latency:
        took = [one.latency_ms for one in answers if one.outcome == ANSWERED]
        found[LATENCY] = judge_latency(took, rule.latency)
    return found


def _shown_answers(
    answers: Sequence[Outline], uses: Sequence[BudgetUse], new: int, forgotten: Sequence[str]
) -> dict[str, Any]:
    counts = Counter((short(one.caller.release), one.outcome) for one in answers)
    return {
        "answers by release": shown_table(
            {"release": release, "outcome": outcome, "answers": count}
            for (release, outcome), count in sorted(counts.items())
        ),
        "budgets": shown_table(use.to_json() for use in uses[:_SHOWN]),
        "why": why_command(answers[0].id),
        **_moved(new, forgotten),
    }


def _moved(new: int, forgotten: Sequence[str]) -> dict[str, Any]:
    return {"new in this run": new, "forgotten by the log": ", ".join(forgotten) or "nothing"}


def _spent(one: Spending) -> dict[str, Any]:
    return {
        **one.group,
        "requests": one.requests,
        "failed": one.failed,
        "tokens in": one.input_tokens,
        "tokens out": one.output_tokens,
        "usd": "unknown" if one.usd is None else f"{one.usd:f}",
        "unpriced": one.unpriced,
    }
