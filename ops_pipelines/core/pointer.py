"""Which of a system's releases is live, and what it takes to make another one so.

The **pointer** of (system, environment) is the last row of an append-only chain of moves: each row carries the hash of
the one before, so appending is a compare-and-swap and an edit in the middle is seen before the next move. A rollback is
one more move, to a release that was live before.

A release is gated against what is live in production, in whatever environment it goes live: staging holds what may go to
production next. What was let in without its gate (`core.override`) stays red until another move replaces it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ops_pipelines.core.clock import not_before, utc
from ops_pipelines.core.errors import DataError, LostRace, ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.preflight import check_parts, check_past, check_works_here, gate_again, not_promotable
from ops_pipelines.core.release import Evidence, Move, Release, ReleaseStore, find_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of

PRODUCTION, STAGING = "production", "staging"
PROMOTE, ROLLBACK, OVERRIDE = "promote", "rollback", "override"
"""What a move may be: by its gate, back to what was live before, or without its gate."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Who moves a pointer, why, at which logical instant, and when by the wall clock."""

    actor: str
    reason: str
    as_of: datetime
    at: datetime
    environment: str = PRODUCTION


def live_move(history: Sequence[Move], as_of: datetime | None = None) -> Move | None:
    """The move that was in force at an instant (now, without one); None where nothing was live then."""
    past = [move for move in history if as_of is None or move.as_of <= as_of]
    return past[-1] if past else None


def live_release(store: ReleaseStore, system: str, environment: str, as_of: datetime | None = None) -> Release | None:
    """The release that was live at an instant (now, without one); None where nothing was live then."""
    move = live_move(store.history(system, environment), as_of)
    return find_release(store, system, move.release) if move else None


def live_evidence(store: ReleaseStore, system: str, environment: str) -> Evidence | None:
    """The evidence with which the live release went live, whatever was appended to it since; None for nothing live."""
    move = live_move(store.history(system, environment))
    return find_release(store, system, move.release).evidence_of(move.evidence) if move else None


def live_before(history: Sequence[Move], as_of: datetime) -> str | None:
    """The release that the one live at an instant replaced, with its gate or without; None where it replaced none."""
    past = [move for move in history if move.as_of <= as_of]
    return _replaced(past) if past and past[-1].action != ROLLBACK else None


def forced(history: Sequence[Move], now: datetime) -> Verdict:
    """Passed where what is live came in through its gate; otherwise never a pass, with who forced it, until when and why.

    NotEvaluated until the override's expiry, since the gate was not asked; Blocked from then on. It stays live all the
    same: a release that goes at its expiry could go at night, with nobody there to see what the one before it does. A
    promotion through the gate ends it, or a rollback to a release that came in through its gate. `now` is the wall's.
    """
    if not history:
        return NotEvaluated("nothing is live")
    move = came_in(history)
    if move.action != OVERRIDE or move.expires is None:
        return Passed({"release": move.release})
    told = f"forced by {move.actor} until {utc(move.expires):%Y-%m-%d %H:%M} UTC: {move.reason}"
    evidence = {"release": move.release, "until": utc(move.expires).isoformat()}
    return NotEvaluated(told, evidence) if utc(now) < utc(move.expires) else Blocked((f"expired, {told}",), evidence)


def came_in(history: Sequence[Move]) -> Move:
    """The move by which the live release last came in: a rollback to it does not say how it passed, so that is not it."""
    return history[_came_in_at(history)]


def is_live_by_its_gate(history: Sequence[Move], release: Release) -> bool:
    """Whether a release is live and was not forced, so that no move could make it more so."""
    return bool(history) and history[-1].release == release.digest and came_in(history).action != OVERRIDE


def taken_back(history: Sequence[Move], release: str) -> Move | None:
    """The rollback that last took a release out of force; None where something else did, or nothing."""
    after = [later for move, later in pairwise(history) if move.release == release]
    return after[-1] if after and after[-1].action == ROLLBACK else None


def _nothing_more(release: Release) -> Verdict:
    return Passed({"release": release.digest})


def promote(
    store: ReleaseStore,
    release: Release,
    decision: Decision,
    *,
    resolves: Callable[[str, str], bool],
    preflight: Callable[[Release], Verdict] = _nothing_more,
    through: str | None = None,
) -> Move | None:
    """Make a release the live one: gate, pre-flight, swap. The move, or None where it is live already.

    `resolves(name, digest)` says whether a part of the behaviour can be found; one that cannot stops the promotion. The
    gate's verdict has to be Passed and has to compare with the release that is live in production now; the evidence that
    counts is the store's, and its cut-off must not lie after `decision.as_of`. `through` names an environment in which
    the release has to have been live. `preflight` is asked last, whether the release works here. Raises NotPromotable
    with the reasons, and LostRace where another promotion came first.

    A forced release that is live is promoted like one that is not: its gate compared it with what it replaced.
    """
    release = find_release(store, release.manifest.system, release.digest)
    history = store.history(release.manifest.system, decision.environment)
    check_chain(history)
    if is_live_by_its_gate(history, release):
        return None
    check_parts(release, resolves)
    if through:
        _check_was_live(store, release, through)
    evidence = _evidence_that_opens(store, release, history)
    check_past(release, evidence, decision.as_of)
    check_works_here(release, preflight)
    return append_move(store, history, release, decision, action=PROMOTE, evidence=evidence.digest)


def gate_of(release: Release, *, baseline: str | None) -> Verdict:
    """A release's own gate verdict, or NotEvaluated where it was compared with another release than `baseline`."""
    if judged := _judged_against(release, baseline):
        return judged[-1].verdict
    known = release.latest.baseline
    return NotEvaluated(
        f"the gate compared it with {short(known) if known else 'no champion'}, and live now is "
        f"{short(baseline) if baseline else 'nothing'}: gate it again"
    )


def roll_back(
    store: ReleaseStore,
    system: str,
    decision: Decision,
    *,
    to: str | None = None,
    seen: str | None = None,
    resolves: Callable[[str, str], bool],
    preflight: Callable[[Release], Verdict] = _nothing_more,
) -> Move:
    """Put an earlier release back: the same swap, without training. The move.

    Without `to` it is the release that was live before the present one. A release that never was live cannot be rolled
    back to: promote it. `seen` is the release that was live when this was decided, where that was a while ago: LostRace
    where another one is by now. Raises ReleaseError where there is nothing to go back to.
    """
    history = store.history(system, decision.environment)
    check_chain(history)
    if seen is not None:
        _check_is_still_live(store, system, history, seen)
    wanted = to or (_live_before(history) if history else "")
    if not wanted:
        raise ReleaseError(
            f"{system!r} has no earlier release in {decision.environment!r} to roll back to",
            expected="a release that was live before the present one",
            action=f"`ops releases {system}` lists what there is; name one with --to",
            system=system,
        )
    target = find_release(store, system, wanted)
    past = list(dict.fromkeys(move.release for move in history if move.release != history[-1].release))
    if target.digest not in past:
        raise ReleaseError(
            f"Release {short(target.digest)} of {system!r} was never live in {decision.environment!r}, or is live now",
            expected=f"one of {', '.join(map(short, past)) or 'none'}",
            action=f"Promote it instead: `ops promote {system} {short(target.digest)}`",
            system=system,
        )
    check_parts(target, resolves, action="Choose another release")
    check_works_here(target, preflight)
    evidence = next(move.evidence for move in reversed(history) if move.release == target.digest)
    return append_move(store, history, target, decision, action=ROLLBACK, evidence=evidence)


def _check_is_still_live(store: ReleaseStore, system: str, history: Sequence[Move], seen: str) -> None:
    live = history[-1].release if history else ""
    if find_release(store, system, seen).digest != live:
        raise LostRace(
            f"{short(seen)} of {system!r} was live when this was decided, and {short(live) or 'nothing'} is now",
            expected="that what is live is what was looked at",
            action=f"Look at `ops releases {system}` and decide again",
            system=system,
        )


def _check_was_live(store: ReleaseStore, release: Release, environment: str) -> None:
    history = store.history(release.manifest.system, environment)
    check_chain(history)
    if not any(move.release == release.digest for move in history):
        never = Blocked((f"it was never live in {environment}",))
        action = f"`ops promote {release.manifest.system} {short(release.digest)} --environment {environment}` first"
        raise not_promotable(release, list(never.reasons), action, verdict=never)


def _evidence_that_opens(store: ReleaseStore, release: Release, history: Sequence[Move]) -> Evidence:
    """The evidence of the gate that lets a release in, against what is live in production or what it replaced there."""
    live = store.history(release.manifest.system, PRODUCTION)
    check_chain(live)
    is_there = live and live[-1].release == release.digest
    baseline = _replaced(live) if is_there else live[-1].release if live else None
    verdict = gate_of(release, baseline=baseline)
    if reasons_of(verdict):
        was_compared = bool(_judged_against(release, baseline))
        action = f"See `ops releases {release.manifest.system}`" if was_compared else gate_again(release, history)
        raise not_promotable(release, list(reasons_of(verdict)), action, verdict=verdict)
    return _judged_against(release, baseline)[-1]


def check_chain(history: Sequence[Move]) -> None:
    """Raises DataError at the first move whose hash of the row before does not hold."""
    for before, move in zip([None, *history], history, strict=False):
        if move.previous != (before.hash if before else "") or move.sequence != (before.sequence + 1 if before else 1):
            raise DataError(
                f"Move {move.sequence} of {move.system!r} in {move.environment!r} does not follow the row before it",
                expected="an unbroken chain of hashes",
                action="Restore control.db from a backup; somebody edited its history",
                sequence=move.sequence,
            )


def _live_before(history: Sequence[Move]) -> str:
    """The release below the live one on the pile of promotions, from which each rollback takes; empty for none.

    A second rollback so goes further back, and never to the release that the first one left.
    """
    standing: list[str] = []
    for move in history:
        if move.action == ROLLBACK and move.release in standing:
            while standing[-1] != move.release:
                standing.pop()
        elif standing[-1:] != [move.release]:  # an override that was prolonged, or ended by its gate, stays one floor
            standing.append(move.release)
    return standing[-2] if len(standing) > 1 else ""


def _came_in_at(history: Sequence[Move]) -> int:
    live = history[-1].release
    return max(n for n, move in enumerate(history) if move.release == live and move.action != ROLLBACK)


def _replaced(history: Sequence[Move]) -> str | None:
    """What was live before the live release last came in, in whatever rows; None where nothing was."""
    before = history[: _came_in_at(history)]
    return next((move.release for move in reversed(before) if move.release != history[-1].release), None)


def _judged_against(release: Release, baseline: str | None) -> list[Evidence]:
    return [evidence for evidence in release.evidence if evidence.baseline == baseline]


def append_move(
    store: ReleaseStore,
    history: Sequence[Move],
    release: Release,
    decision: Decision,
    *,
    action: str,
    evidence: str,
    expires: datetime | None = None,
) -> Move:
    """Swap the pointer; LostRace where somebody did since `history` was read, ReleaseError for a clock that went back."""
    last = history[-1] if history else None
    if last and decision.as_of < last.as_of:
        raise ReleaseError(
            f"The clock went back: the pointer of {last.system!r} last moved as of {last.as_of}, this move is as of "
            f"{decision.as_of}",
            expected="an instant that is not before the last move, or past weeks would change their release",
            action="Set the clock forward, or remove the demo's position file in OPS_HOME",
        )
    move = Move(
        system=release.manifest.system,
        environment=decision.environment,
        sequence=last.sequence + 1 if last else 1,
        release=release.digest,
        evidence=evidence,
        action=action,
        actor=decision.actor,
        reason=decision.reason,
        as_of=decision.as_of,
        at=not_before(last.at if last else None, decision.at),
        previous=last.hash if last else "",
        expires=expires,
    )
    store.append(move)
    return move


def lost_race(move: Move) -> LostRace:
    """The error that every store raises for a move that came second."""
    return LostRace(
        f"The pointer of {move.system!r} in {move.environment!r} moved while {short(move.release)} was being promoted",
        expected="that nobody else promotes at the same time",
        action=f"Look at `ops releases {move.system}` and decide again",
        system=move.system,
    )
