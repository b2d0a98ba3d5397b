"""Scorers of what an answer took: its form, its time and its price, each against what it may be."""

from decimal import Decimal

from ops_pipelines.core.verdict import Blocked, NotEvaluated, reasons_of
from ops_pipelines.llmops.evals.scorer import Judged, Rule, Score
from ops_pipelines.llmops.response_schema import judge_answer


def _schema(judged: Judged) -> Score | None:
    request = judged.prepared.request
    if request is None or request.response_schema is None:
        return None
    found = judge_answer(judged.answer.said or judged.answer.text, request.response_schema)
    if isinstance(found, NotEvaluated):
        return Score(None, found.why)
    return Score(float(not isinstance(found, Blocked)), "; ".join(reasons_of(found)))


SCHEMA = Rule("schema", "1", _schema)
"""Whether what the model said is JSON of the schema that it was asked for; of prompts with one."""


def latency(most_ms: float) -> Rule:
    """1 for an answer that took no longer than `most_ms`, and the less the longer it took: half for twice as long."""

    def judge(judged: Judged) -> Score | None:
        took = judged.answer.latency_ms
        value = min(1.0, most_ms / took) if took > 0 else 1.0
        return Score(value, "" if value == 1 else f"it took {took:.0f} ms, and {most_ms:.0f} are allowed")

    return Rule("latency", f"1/{most_ms:g}", judge)


def cost(most_usd: Decimal) -> Rule:
    """1 for an answer that cost no more than `most_usd`, and the less the more it cost; an unknown price is not free."""

    def judge(judged: Judged) -> Score | None:
        usd = judged.answer.usd
        if usd is None:
            return Score(None, "nobody knows what it cost")
        value = float(min(Decimal(1), most_usd / usd)) if usd > 0 else 1.0
        return Score(value, "" if value == 1 else f"it cost {usd:f} dollars, and {most_usd:f} are allowed")

    return Rule("cost", f"1/{most_usd:f}", judge)
