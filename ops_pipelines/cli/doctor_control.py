"""What `ops doctor` looks at in control.db: what is live and by whose word, who may act, and whether the record holds."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ops_pipelines.cli.finding import BAD, GOOD, ODD, Finding

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.release import Move


def releases(platform: "Platform") -> Iterator[Finding]:
    """The chain of each pointer, whether every part of what is live can be found and is unchanged, and what is forced."""
    from ops_pipelines.core.pointer import PRODUCTION, check_chain

    for system in _systems(platform):
        for environment in platform.project.environments:
            about = system if environment == PRODUCTION else f"{system} in {environment}"
            history = platform.releases.history(system, environment)
            check_chain(history)
            if not history:
                yield Finding(about, ODD, "nothing is live", f"`ops releases {system}`, then `ops promote`")
                continue
            yield _live(platform, about, history)
            yield from _forced(platform, about, history)


def access(platform: "Platform") -> Iterator[Finding]:
    """Whether anybody at all may act, or those who hold a token."""
    if not _has_control(platform):
        return
    now, everybody = platform.clock.wall(), platform.principals.everybody()
    stale = [one.name for one in everybody if one.why_not(now)]
    if not everybody:
        yield Finding(
            "access", GOOD, "open to whoever may write these files", "`ops principal add NAME --role admin` closes it"
        )
        return
    gone = f", {len(stale)} more expired or revoked" if stale else ""
    yield Finding("access", GOOD, f"{len(everybody) - len(stale)} principals with a token{gone}")


def audit(platform: "Platform") -> Iterator[Finding]:
    """Whether the audit log and what it tells of hold."""
    from ops_pipelines.core.audit_coverage import judge_audit
    from ops_pipelines.core.verdict import Blocked, Passed, reasons_of

    if not _has_control(platform):
        return
    found = judge_audit(*platform.audit.snapshot())
    if isinstance(found, Passed):
        yield Finding("audit", GOOD, f"{found.evidence['entries']} entries, each in its place")
    else:
        state, do = (BAD, "Restore control.db from a backup") if isinstance(found, Blocked) else (ODD, "")
        yield Finding("audit", state, "; ".join(reasons_of(found)), do)


def _has_control(platform: "Platform") -> bool:
    """A look makes no file where there is none."""
    return (platform.project.home / "control.db").is_file()


def _systems(platform: "Platform") -> list[str]:
    """Those that were trained, and those that have a release: a composite is never trained."""
    released = platform.releases.systems() if _has_control(platform) else ()
    return sorted({*platform.systems(), *released})


def _live(platform: "Platform", about: str, history: Sequence["Move"]) -> Finding:
    """That every part of what is live is there, and of each release that it uses; the error of the first that is not."""
    from ops_pipelines.core.composite import all_used
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.core.release import find_release

    live = find_release(platform.releases, history[-1].system, history[-1].release)
    below = [find_release(platform.releases, *used) for used in all_used(live, platform.release)]
    for release in (live, *below):
        for digest in release.manifest.behaviour.values():
            platform.objects.get(digest)
    return Finding(about, GOOD, f"{short(live.digest)} is live, all its parts verified")


def _forced(platform: "Platform", about: str, history: Sequence["Move"]) -> Iterator[Finding]:
    from ops_pipelines.core.pointer import forced
    from ops_pipelines.core.verdict import reasons_of

    for reason in reasons_of(forced(history, platform.clock.wall())):
        told = reason.removeprefix("not evaluated: ")
        yield Finding(about, BAD, told, "Promote a release through its gate, or `ops rollback`")
