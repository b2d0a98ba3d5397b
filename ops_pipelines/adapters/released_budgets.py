"""The budgets that are part of a release."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta

from ops_pipelines.adapters.call_records import answers_in
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Release, find_release
from ops_pipelines.llmops.answer_log import OVER_BUDGET
from ops_pipelines.llmops.budget import Budget, Spent
from ops_pipelines.llmops.budget_use import BudgetUse, uses_of

BUDGETS = "budgets"
"""The part of a release that lists its budgets, as canonical JSON of `Budget.to_json`."""
_MOMENT = timedelta(microseconds=1)


def budgets_of(platform: Platform, release: Release) -> tuple[Budget, ...]:
    """The budgets of a release; none where it has none. ArtefactError where their bytes are gone or changed."""
    digest = release.manifest.behaviour.get(BUDGETS)
    records = json.loads(platform.objects.get(digest)) if digest else []
    return tuple(map(Budget.from_json, records))


def live_budgets(platform: Platform, system: str, environment: str = PRODUCTION) -> tuple[Budget, ...]:
    """The budgets of the release that is live; ReleaseError where none is."""
    digest = platform.live(environment, system)
    if digest is None:
        raise ReleaseError(
            f"Nothing of {system!r} is live in {environment}, so no budget holds for it",
            expected="a release that is live",
            action=f"`ops releases {system}`, then `ops promote`",
            system=system,
        )
    return budgets_of(platform, find_release(platform.releases, system, digest))


def uses_now(platform: Platform, budgets: Sequence[Budget]) -> tuple[BudgetUse, ...]:
    """Each account of some budgets in the window that goes on, the most used first; one of nobody where there is none."""
    now = platform.clock.wall()
    windows = [budget.span_of(budget.window_at(now)) for budget in budgets]
    began = min((window.start for window in windows), default=now)
    answers = answers_in(platform, Window(began, now + _MOMENT))
    refused = ((one.caller, one.asked_at) for one in answers if one.outcome == OVER_BUDGET)
    uses = uses_of(budgets, platform.budgets, Window(now, now + _MOMENT), now, refused)
    known = {use.budget.name for use in uses}
    quiet = (
        BudgetUse(budget, f"{budget.name}[nobody yet]", window, Spent())
        for budget, window in zip(budgets, windows, strict=True)
        if budget.name not in known
    )
    return (*uses, *quiet)


def budgets_of_all(platform: Platform, system: str, digests: Iterable[str]) -> tuple[Budget, ...]:
    """The budgets of some releases, once by their name: that of the last one stands. A digest of no release has none."""
    found: dict[str, Budget] = {}
    for digest in dict.fromkeys(digests):
        if release := platform.release(system, digest):
            found |= {budget.name: budget for budget in budgets_of(platform, release)}
    return tuple(found.values())
