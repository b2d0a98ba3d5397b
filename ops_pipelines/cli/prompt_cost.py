"""`ops prompt cost`: what a change of a prompt will cost, before it ships."""

from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.output import AsJson, show
from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from ops_pipelines.llmops.chat_model import Usage

PER_TOKENS = 1_000_000


def project_cost(
    name: Annotated[str, typer.Argument(help="The prompt, for instance runbook_answers.")],
    cases: Annotated[Path, typer.Option(help='Lines of JSON: {"id", "values", "weight"?, "output_tokens"?}.')],
    price: Annotated[
        list[str], typer.Option(help="PROVIDER/MODEL=IN,OUT: US dollars for a million tokens; once for each model.")
    ],
    before: Annotated[str | None, typer.Argument(help="The earlier version; git's HEAD without.")] = None,
    after: Annotated[str, typer.Argument(help="The later version: `file`, an id or a revision of git.")] = "file",
    most_times: Annotated[
        float | None, typer.Option(help="The most times as much as before that a request may cost.", min=0)
    ] = None,
    most_usd: Annotated[float | None, typer.Option(help="The most US dollars that a request may cost.", min=0)] = None,
    as_json: AsJson = False,
) -> None:
    """What a prompt's change costs on some cases. Exit 1 where it is more than allowed, 3 where that cannot be told."""
    from ops_pipelines.adapters.asked_cases import read_asked_cases
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.prompt_files import earlier_prompt, prompt_at
    from ops_pipelines.core.verdict import Passed, verdict_to_json
    from ops_pipelines.llmops.projected_cost import CostRule, judge_projected_cost

    platform = Platform.embedded()
    first = earlier_prompt(platform.project, platform.lake, name, before)
    second = prompt_at(platform.project, platform.lake, name, after)
    rule = CostRule(most_times, None if most_usd is None else Decimal(str(most_usd)))
    price_of = partial(_declared, dict(map(_price, price)))
    verdict = judge_projected_cost(first, second, read_asked_cases(cases), price_of, rule)
    judged = verdict_to_json(verdict)
    if as_json:
        show([{"prompt": name, "before": first.id, "after": second.id, **judged}], as_json=True)
    else:
        _print_judged(judged)
    if not isinstance(verdict, Passed):
        raise typer.Exit(REFUSED if judged["verdict"] == "blocked" else COULD_NOT_TELL)


def _price(declared: str) -> tuple[str, tuple[Decimal, Decimal]]:
    """The model and its two prices of `PROVIDER/MODEL=IN,OUT`; ConfigError for anything else."""
    model, _, prices = declared.rpartition("=")
    try:
        incoming, outgoing = map(Decimal, prices.split(","))
    except (InvalidOperation, ValueError) as error:
        raise _no_price(declared) from error
    if "/" not in model or not all(price.is_finite() and price >= 0 for price in (incoming, outgoing)):
        raise _no_price(declared)
    return model, (incoming, outgoing)


def _no_price(declared: str) -> ConfigError:
    return ConfigError(
        f"{declared!r} is no price",
        expected="PROVIDER/MODEL=IN,OUT in US dollars for a million tokens",
        action="For instance openai/gpt-5-mini-2025-08-07=0.25,2",
    )


def _declared(prices: dict[str, tuple[Decimal, Decimal]], provider: str, model: str, usage: "Usage") -> Decimal | None:
    """What some tokens cost by the declared prices; None for a model without one."""
    found = prices.get(f"{provider}/{model}")
    if found is None:
        return None
    return (found[0] * usage.input_tokens + found[1] * usage.output_tokens) / PER_TOKENS


def _print_judged(judged: dict[str, Any]) -> None:
    evidence = judged["evidence"]
    print(f"{judged['verdict']}" + "".join(f"\n  {reason}" for reason in judged["reasons"]))
    if evidence:
        print(
            f"a request on the average of {evidence['cases']} cases: ${evidence['usd_before']:.6f} -> "
            f"${evidence['usd_after']:.6f} (tokens: {evidence['estimate']})"
        )
