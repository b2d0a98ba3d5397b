"""A picture small enough for Dagster's metadata, which shows inline what is under a thousand characters."""

import base64
from collections.abc import Sequence

WIDTH, HEIGHT, MOST_BARS = 240, 60, 12


def histograms(name: str, reference: Sequence[float], current: Sequence[float]) -> str:
    """Markdown with two histograms over the same bins: the training period in grey, the week as a red outline.

    Of more than twelve bins the twelve with the largest shares are drawn, in their order; empty for no bins.
    """
    if not reference:
        return ""
    largest = sorted(range(len(reference)), key=lambda at: -max(reference[at], current[at]))[:MOST_BARS]
    kept = sorted(largest)
    highest = max(max(reference[at], current[at]) for at in kept) or 1.0
    step = WIDTH // len(kept)
    before, now = ("".join(_bar(shares[at] / highest, step) for at in kept) for shares in (reference, current))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<path d="M0 {HEIGHT}{before}z" fill="#bbb"/><path d="M0 {HEIGHT}{now}" fill="none" stroke="#c22"/></svg>'
    )
    image = base64.b64encode(svg.encode()).decode()
    return f"![{name}](data:image/svg+xml;base64,{image})"


def _bar(share: float, step: int) -> str:
    return f"V{HEIGHT - round(share * (HEIGHT - 4))}h{step}"
