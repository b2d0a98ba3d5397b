"""What it takes to begin a canary: less than a promotion, since it only takes a share of the requests, and not nothing.

Its parts are there, it works here, its cut-off is past, and its gate did not refuse it. That the gate could not tell, or
compared it with another release, is what a canary may find out; a release that the gate refused meets no caller.
"""

from collections.abc import Callable

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import NotPromotable, ReleaseError
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.pointer import Decision, gate_of
from ops_pipelines.core.preflight import absent_parts
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Blocked, Verdict, name_of, reasons_of
from ops_pipelines.mlops.canary import Canary


def plan_canary(
    release: Release,
    decision: Decision,
    *,
    live: str | None,
    share: float,
    resolves: Callable[[str, str], bool],
    preflight: Callable[[Release], Verdict],
) -> Canary:
    """The canary of a release beside the one that is live, not begun yet.

    Raises ReleaseError where nothing is live or the release is itself, NotPromotable with the reasons where it may not
    meet callers, and ConfigError for a share that is none.
    """
    if live is None or live == release.digest:
        raise _nothing_beside(release, live)
    canary = Canary(
        system=release.manifest.system,
        environment=decision.environment,
        candidate=release.digest,
        champion=live,
        share=share,
        salt=short(digest_json([release.digest, live, utc(decision.at).isoformat()])),
        actor=decision.actor,
        reason=decision.reason,
        as_of=decision.as_of,
        at=decision.at,
    )
    _check_gate(release, live)
    _check_present(release, decision, resolves)
    works = preflight(release)
    if reasons_of(works):
        raise _refused(release, list(reasons_of(works)), works, "Install the environment that it was trained in")
    return canary


def _check_gate(release: Release, live: str) -> None:
    """Raises NotPromotable where the gate refused a release, against what is live or against whatever it was judged by."""
    judged = [gate_of(release, baseline=live), release.latest.verdict]
    refused = next((verdict for verdict in judged if isinstance(verdict, Blocked)), None)
    if refused:
        raise _refused(release, list(refused.reasons), refused, "Train it again; what its gate refused meets no caller")


def _check_present(release: Release, decision: Decision, resolves: Callable[[str, str], bool]) -> None:
    """Raises NotPromotable where a part cannot be found, or where it knows more than anybody could know."""
    reasons = absent_parts(release, resolves)
    if utc(decision.as_of) < utc(release.latest.cut_off):
        reasons.append(f"it knows everything up to {release.latest.cut_off}, which lies after {decision.as_of}")
    if reasons:
        raise _refused(release, reasons, release.latest.verdict, "Train or publish it again")


def _nothing_beside(release: Release, live: str | None) -> ReleaseError:
    system = release.manifest.system
    return ReleaseError(
        f"Release {short(release.digest)} of {system!r} is live itself" if live else f"Nothing of {system!r} is live",
        expected="another release that is live, beside which this one answers a share",
        action=f"`ops releases {system}` lists them",
        system=system,
    )


def _refused(release: Release, reasons: list[str], verdict: Verdict, action: str) -> NotPromotable:
    return NotPromotable(
        f"Release {short(release.digest)} of {release.manifest.system!r} cannot be a canary: {'; '.join(reasons)}",
        expected="a release whose parts are all there, which works here, and which its gate did not refuse",
        action=action,
        reasons=reasons,
        verdict=name_of(verdict),
    )
