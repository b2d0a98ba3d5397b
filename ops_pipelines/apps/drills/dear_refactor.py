"""D15: a prompt is tidied up, and from then on each request carries the whole conversation: forty times the tokens.

The answers stay as good as they were, so nothing that looks at answers sees it. The bill does, at the end of the month.
"""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    from ops_pipelines.llmops.chat_model import Usage
    from ops_pipelines.llmops.projected_cost import AskedCase
    from ops_pipelines.llmops.prompt import Prompt

PROVIDER, MODEL = "openai", "desk-4"
BEFORE, AFTER = "{{ question }}", "{% for turn in history %}{{ turn }}\n{% endfor %}{{ question }}"
TURN = "The customer said that the parcel had not come, and the desk asked for its number and looked it up. "
TURNS = {"lost-parcel": 160, "wrong-address": 120, "opening-hours": 1}
"""How many turns each conversation of a week has behind it."""
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MOST_TIMES = 1.5


def unguarded(folder: Path) -> Outcome:
    """The tidied prompt ships, and the week's questions are asked with it."""
    del folder
    before, after = (asyncio.run(_bill(_prompt(text))) for text in (BEFORE, AFTER))
    times = after / before
    return Outcome(
        harmed=times > 40,
        caught=False,
        reason=f"the week cost ${after:.4f} and not ${before:.4f}: {times:.0f} times as much",
        evidence={"usd_before": float(before), "usd_after": float(after)},
    )


def guarded(folder: Path) -> Outcome:
    """The same edit before it ships: its cost is projected on the same questions, and it is refused with the dearest ones."""
    from ops_pipelines.core.verdict import Blocked, Passed, reasons_of
    from ops_pipelines.llmops.projected_cost import CostRule, judge_projected_cost

    del folder
    rule = CostRule(MOST_TIMES)
    verdict = judge_projected_cost(_prompt(BEFORE), _prompt(AFTER), _cases(), _usd, rule)
    harmless = judge_projected_cost(_prompt(BEFORE), _prompt("Kindly: {{ question }}"), _cases(), _usd, rule)
    shipped = AFTER if isinstance(verdict, Passed) else BEFORE
    times = asyncio.run(_bill(_prompt(shipped))) / asyncio.run(_bill(_prompt(BEFORE)))
    return Outcome(
        harmed=times > MOST_TIMES,
        caught=isinstance(verdict, Blocked) and isinstance(harmless, Passed),
        reason="; ".join(reasons_of(verdict)),
        evidence={"times": float(times), **verdict.evidence},
    )


DRILL = Drill(
    number="D15",
    name="dear refactor",
    incident="a prompt was refactored, and each request had forty times as many tokens as before",
    source="post-mortems of language model bills; the cause is the prompt's own edit",
    names="most of it comes from lost-parcel",
    unguarded=unguarded,
    guarded=guarded,
)


def _prompt(text: str) -> "Prompt":
    from ops_pipelines.llmops.chat_model import Message
    from ops_pipelines.llmops.prompt import Prompt

    variables = {"question": "text", **({"history": "list"} if "history" in text else {})}
    return Prompt("desk", (Message("user", text),), variables, PROVIDER, MODEL, {"max_tokens": 10})


def _cases() -> "list[AskedCase]":
    from ops_pipelines.llmops.projected_cost import AskedCase

    values = {name: {"question": f"And what about {name}?", "history": [TURN] * turns} for name, turns in TURNS.items()}
    return [AskedCase(name, taken, output_tokens=10) for name, taken in values.items()]


async def _bill(prompt: "Prompt") -> Decimal:
    """What the week's questions come to, as a provider counts their tokens."""
    from ops_pipelines.llmops.provider_pin import ProviderPin
    from ops_pipelines.testing.chat_model import ScriptedChat

    chat, total = ScriptedChat(ProviderPin(PROVIDER, MODEL)), Decimal(0)
    for case in _cases():
        taken = {name: value for name, value in case.values.items() if name in prompt.variables}
        total += _usd(PROVIDER, MODEL, (await chat.complete(prompt.request(taken))).usage)
    return total


def _usd(provider: str, model: str, usage: "Usage") -> Decimal:
    from ops_pipelines.llmops.cost import DeclaredPrices, Price

    prices = DeclaredPrices({(PROVIDER, MODEL): Price(Decimal(2), Decimal(8))})
    return prices.usd(provider, model, usage, NOON) or Decimal(0)
