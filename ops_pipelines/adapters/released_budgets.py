"""The budgets that are part of a release."""

import json
from collections.abc import Iterable

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Release, find_release
from ops_pipelines.llmops.budget import Budget

BUDGETS = "budgets"
"""The part of a release that lists its budgets, as canonical JSON of `Budget.to_json`."""


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


def budgets_of_all(platform: Platform, system: str, digests: Iterable[str]) -> tuple[Budget, ...]:
    """The budgets of some releases, once by their name: that of the last one stands. A digest of no release has none."""
    found: dict[str, Budget] = {}
    for digest in dict.fromkeys(digests):
        if release := platform.release(system, digest):
            found |= {budget.name: budget for budget in budgets_of(platform, release)}
    return tuple(found.values())
