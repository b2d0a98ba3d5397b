"""What a policy is told of a call's arguments, and what an agent is told of those that it cannot have from anywhere."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from ops_pipelines.agentops.claims import CENTS, MONEY_AMOUNT, Claim
from ops_pipelines.agentops.provenance import TAINTED, Traced


def plain_arguments(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments that are texts, whole numbers or truths, as a policy can ask for them."""
    plain = [(name, value) for name, value in arguments.items() if isinstance(value, str | int)]
    return tuple(f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in plain)


def cents_of(claims: Sequence[Claim]) -> int | None:
    """The sum of all amounts in whole cents, rounded up; None where there is none.

    One below zero is told alone: added up, it would hide the others from a limit.
    """
    amounts = [Decimal(str(claim.value)) * (1 if claim.kind == CENTS else 100) for claim in claims if _is_money(claim)]
    if any(amount < 0 for amount in amounts):
        return int(min(amounts).to_integral_value(ROUND_FLOOR))
    return int(sum(amounts, Decimal(0)).to_integral_value(ROUND_CEILING)) if amounts else None


def _is_money(claim: Claim) -> bool:
    return claim.kind in (CENTS, MONEY_AMOUNT)


def kinds_of(found: Sequence[Traced], origin: str) -> tuple[str, ...]:
    """The kinds of the claims of one origin, each once."""
    return tuple(sorted({one.claim.kind for one in found if one.origin == origin}))


def told_of(traced: Sequence[Traced]) -> str:
    """Which arguments do not come from trusted text, as the end of a sentence."""
    if not traced:
        return ""
    each = [
        f"{one.claim.where} {str(one.shown)!r} "
        + (f"occurs only in what {one.source} returned" if one.origin == TAINTED else "occurs nowhere")
        for one in traced
    ]
    return f"; {', '.join(each)}"
