"""Break-glass: a release made live without its gate, by somebody who says why and for how long.

It skips the gate's verdict, what that was compared with, and staging. It never skips that every part of the release can
be found, and that it answers here as it did where its gate was. What it leaves behind is a move of its own kind, which
`core.pointer.forced` shows red for as long as the release is live.
"""

from collections.abc import Callable
from datetime import timedelta

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.pointer import OVERRIDE, Decision, append_move, check_chain, is_live_by_its_gate
from ops_pipelines.core.preflight import check_parts, check_past, check_works_here
from ops_pipelines.core.release import Move, Release, ReleaseStore, find_release
from ops_pipelines.core.verdict import Verdict

LONGEST = timedelta(hours=168)
"""A week: what needs longer is no emergency any more, and has a gate to pass."""


def override(
    store: ReleaseStore,
    release: Release,
    decision: Decision,
    *,
    lasting: timedelta,
    resolves: Callable[[str, str], bool],
    preflight: Callable[[Release], Verdict],
) -> Move | None:
    """Make a release the live one without its gate. The move, or None where it is live through its gate already.

    Forcing what is live by an override prolongs that. Raises ConfigError for a blank reason and for a time that is not
    longer than none and at most a week, NotPromotable where a part is missing, where its cut-off lies ahead or where the
    pre-flight says no, and LostRace where somebody else moved the pointer first.
    """
    check_override(decision.reason, lasting)
    release = find_release(store, release.manifest.system, release.digest)
    history = store.history(release.manifest.system, decision.environment)
    check_chain(history)
    if is_live_by_its_gate(history, release):
        return None
    check_parts(release, resolves)
    check_past(release, release.latest, decision.as_of)
    check_works_here(release, preflight)
    expires, evidence = decision.at + lasting, release.latest.digest
    return append_move(store, history, release, decision, action=OVERRIDE, evidence=evidence, expires=expires)


def check_override(reason: str, lasting: timedelta) -> None:
    """Raises ConfigError for a blank reason, and for a time that is not longer than none and at most a week."""
    if not reason.strip():
        raise ConfigError(
            "A release is not forced without a reason",
            expected="why its gate cannot be waited for, in words that others will read",
            action="Say it with --reason",
        )
    if not timedelta(0) < lasting <= LONGEST:
        hours, most = lasting / timedelta(hours=1), LONGEST // timedelta(hours=1)
        raise ConfigError(
            f"A release cannot be forced for {hours:g} hours",
            expected=f"more than none and at most {most} hours",
            action="Say how long with --hours; a gate that passes ends it sooner",
        )
