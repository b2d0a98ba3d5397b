"""What has to hold of a release before any move makes it live, with its gate, without it, or back to it."""

from collections.abc import Callable
from datetime import datetime

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import NotPromotable
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.release import Evidence, Release
from ops_pipelines.core.verdict import Verdict, name_of, reasons_of


def absent_parts(release: Release, resolves: Callable[[str, str], bool]) -> list[str]:
    """Each part of a release that cannot be found, in words; empty where all are there."""
    behaviour = release.manifest.behaviour.items()
    return [f"its {part} {short(digest)} cannot be found" for part, digest in behaviour if not resolves(part, digest)]


def check_parts(
    release: Release, resolves: Callable[[str, str], bool], *, action: str = "Train or publish it again"
) -> None:
    """Raises NotPromotable with the parts of a release that cannot be found."""
    if absent := absent_parts(release, resolves):
        raise not_promotable(release, absent, action)


def check_past(release: Release, evidence: Evidence, as_of: datetime) -> None:
    """Raises NotPromotable for a release whose cut-off lies after the instant that it is decided about."""
    if utc(as_of) < utc(evidence.cut_off):
        known = f"it knows more than anybody could know at {as_of}: everything up to {evidence.cut_off}"
        raise not_promotable(release, [known], "Promote it as of its cut-off or later", verdict=evidence.verdict)


def check_works_here(release: Release, preflight: Callable[[Release], Verdict]) -> None:
    """Raises NotPromotable where a release does not work here as it did where it was gated."""
    found = preflight(release)
    if reasons_of(found):
        action = "Install the environment that it was trained in, or train it again in this one"
        raise not_promotable(release, list(reasons_of(found)), action, verdict=found)


def not_promotable(
    release: Release, reasons: list[str], action: str, *, verdict: Verdict | None = None
) -> NotPromotable:
    """The error that says why a release cannot go live; its fact `verdict` is the name of what was judged."""
    return NotPromotable(
        f"Release {short(release.digest)} of {release.manifest.system!r} cannot go live: {'; '.join(reasons)}",
        expected="a release whose parts are all there, whose gate passed against what is live, and whose cut-off is past",
        action=action,
        reasons=reasons,
        verdict=name_of(verdict or release.latest.verdict),
    )
