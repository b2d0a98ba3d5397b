"""What has to hold of a release before any move makes it live, with its gate, without it, or back to it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import NotPromotable
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.release import Evidence, Move, Release
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


def gate_again(release: Release, history: Sequence[Move]) -> str:
    """What to do about a release that its gate compared with another one than is live, as an error's action.

    `history` is the pointer's that it was to move: a release that was live there can be put back without its gate.
    """
    system = release.manifest.system
    _, is_trained, week = str(release.latest.facts.get("training_set", "")).partition("@")
    action = f"Make it again, so that its gate compares it with what is live; see `ops releases {system}`"
    if is_trained:
        made = f"`ops materialize 'key:\"{system}/checkpoint\"' --partition {week}`"
        action = f"{made} trains that week again and compares it with what is live"
    elif release.manifest.uses:
        action = f"`ops materialize 'key:\"{system}/composition\"'` judges it against what is live"
    if any(move.release == release.digest for move in history):
        where = f"--environment {history[-1].environment}"
        action += f"; or `ops rollback {system} --to {short(release.digest)} {where}`, since it was live there"
    return action


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
