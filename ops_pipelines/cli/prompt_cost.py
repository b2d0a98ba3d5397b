"""`ops prompt cost`: what a change of a prompt will cost, before it ships."""

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.output import AsJson, show
from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.chat_model import Usage
    from ops_pipelines.llmops.cost import Price, PriceList
    from ops_pipelines.llmops.projected_cost import AskedCase, PriceOf


def project_cost(  # noqa: PLR0913, PLR0917 a verb's options are its arguments
    name: Annotated[str, typer.Argument(help="The prompt, for instance runbook_answers.")],
    before: Annotated[str | None, typer.Argument(help="The earlier version; git's HEAD without.")] = None,
    after: Annotated[str, typer.Argument(help="The later version: `file`, an id or a revision of git.")] = "file",
    cases: Annotated[
        Path | None, typer.Option(help='Lines of JSON: {"id", "values", "weight"?, "output_tokens"?}.')
    ] = None,
    traffic: Annotated[
        int | None, typer.Option(help="What was asked within so many days, as often as it was asked.", min=1)
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(
            help="PROVIDER/MODEL=IN,OUT: US dollars for a million tokens; once for each model that has no known price."
        ),
    ] = None,
    most_times: Annotated[
        float | None, typer.Option(help="The most times as much as before that a request may cost.", min=0)
    ] = None,
    most_usd: Annotated[float | None, typer.Option(help="The most US dollars that a request may cost.", min=0)] = None,
    as_json: AsJson = False,
) -> None:
    """What a prompt's change costs on some cases, or on real traffic. Exit 1 beyond the limits, 3 where nobody can tell."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.prompt_files import earlier_prompt, prompt_at
    from ops_pipelines.core.verdict import Passed, verdict_to_json
    from ops_pipelines.llmops.projected_cost import CostRule, judge_projected_cost

    platform = Platform.embedded()
    first = earlier_prompt(platform.project, platform.lake, name, before)
    second = prompt_at(platform.project, platform.lake, name, after)
    rule = CostRule(most_times, None if most_usd is None else Decimal(str(most_usd)))
    asked = _asked(platform, cases, traffic, name)
    verdict = judge_projected_cost(first, second, asked, _prices(platform, price or []), rule)
    judged = verdict_to_json(verdict)
    if as_json:
        show([{"prompt": name, "before": first.id, "after": second.id, **judged}], as_json=True)
    else:
        _print_judged(judged)
    if not isinstance(verdict, Passed):
        raise typer.Exit(REFUSED if judged["verdict"] == "blocked" else COULD_NOT_TELL)


def _asked(platform: "Platform", cases: Path | None, days: int | None, system: str) -> "list[AskedCase]":
    """The cases of a file, or what a system was asked within some days; ConfigError for both or none."""
    from ops_pipelines.adapters.asked_cases import read_asked_cases
    from ops_pipelines.adapters.call_records import answers_in
    from ops_pipelines.core.clock import Window
    from ops_pipelines.llmops.traffic import cases_of_traffic

    if cases and not days:
        return read_asked_cases(cases)
    if days and not cases:
        now = platform.clock.wall()
        return cases_of_traffic(answers_in(platform, Window(now - timedelta(days=days), now), system))
    raise ConfigError(
        "A cost is projected on one thing", expected="--cases FILE or --traffic DAYS", action="Give one of them"
    )


def _prices(platform: "Platform", declared: list[str]) -> "PriceOf":
    """What tokens cost now: as declared, else as the pinned price list has it."""
    from ops_pipelines.adapters.genai_prices import GenAIPrices
    from ops_pipelines.llmops.cost import DeclaredPrices

    prices = GenAIPrices(DeclaredPrices(dict(map(_price, declared))))
    return partial(_usd, prices, platform.clock.wall())


def _usd(prices: "PriceList", at: datetime, provider: str, model: str, usage: "Usage") -> Decimal | None:
    return prices.usd(provider, model, usage, at)


def _price(declared: str) -> "tuple[tuple[str, str], Price]":
    """The provider's model and its price of `PROVIDER/MODEL=IN,OUT`; ConfigError for anything else."""
    from ops_pipelines.llmops.cost import Price

    model, _, prices = declared.rpartition("=")
    provider, slash, name = model.partition("/")
    try:
        incoming, outgoing = map(Decimal, prices.split(","))
    except (InvalidOperation, ValueError) as error:
        raise _no_price(declared) from error
    if not slash or not all(price.is_finite() and price >= 0 for price in (incoming, outgoing)):
        raise _no_price(declared)
    return (provider, name), Price(incoming, outgoing)


def _no_price(declared: str) -> ConfigError:
    return ConfigError(
        f"{declared!r} is no price",
        expected="PROVIDER/MODEL=IN,OUT in US dollars for a million tokens",
        action="For instance openai/gpt-5-mini-2025-08-07=0.25,2",
    )


def _print_judged(judged: dict[str, Any]) -> None:
    evidence = judged["evidence"]
    print(f"{judged['verdict']}" + "".join(f"\n  {reason}" for reason in judged["reasons"]))
    if evidence:
        print(
            f"a request on the average of {evidence['cases']} cases: ${evidence['usd_before']:.6f} -> "
            f"${evidence['usd_after']:.6f} (tokens: {evidence['estimate']})"
        )
