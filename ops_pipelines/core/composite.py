"""A release that is made of others: what it uses is pinned by digest, what it operates is called by name.

A call to a **used** system resolves the digest that the composite's manifest names, whatever the pointer of that system says
by then: what was gated together stays together. A call to an **operated** system resolves that system's pointer at each call,
since it is somebody else's to move. So a composite's promotion moves its own pointer alone.

What has to hold before it may go live is asked of the whole tree of what it uses; rooms register what they know of their own
releases by name, as functions from a release to a verdict.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.release import Manifest, Release
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

Find: TypeAlias = Callable[[str, str], Release | None]
"""The release of a system by its whole digest; None where there is none."""
Live: TypeAlias = Callable[[str], str | None]
"""The digest that a system's pointer names now; None where nothing is live."""
Resolves: TypeAlias = Callable[[str, str], bool]
"""Whether a part of a release, by name and digest, can be found."""
Fits: TypeAlias = Callable[[Release], Verdict]
"""What a room says of one release of the tree; Passed for a release that is none of its own."""


def compose(
    system: str, behaviour: Mapping[str, str], *, uses: Mapping[str, str], operates: Sequence[str] = ()
) -> Manifest:
    """The manifest of a composite; ReleaseError where it would be a part of itself, or both use and operate a system."""
    named = (*uses, *operates)
    wrong = [name for name in named if name == system or named.count(name) > 1]
    if wrong:
        raise ReleaseError(
            f"{system!r} cannot be composed of {', '.join(named)}: {wrong[0]!r} is itself, or is named twice",
            expected="other systems, each either used or operated",
            action="Correct `uses` and `operates`",
            system=system,
        )
    return Manifest(system, behaviour, dict(uses), tuple(sorted(operates)))


def resolve(manifest: Manifest, system: str, live: Live) -> str:
    """The digest by which a release calls a system now; ReleaseError for one that it neither uses nor operates.

    Also where an operated system has nothing live.
    """
    if system in manifest.uses:
        return manifest.uses[system]
    if system in manifest.operates and (digest := live(system)):
        return digest
    reason = "operates it, and nothing of it is live" if system in manifest.operates else "neither uses nor operates it"
    raise ReleaseError(
        f"Release {short(manifest.digest)} of {manifest.system!r} cannot call {system!r}: it {reason}",
        expected=f"one of {', '.join((*manifest.uses, *manifest.operates)) or 'none'}",
        action=f"Promote a release of {system!r}, or name it in `uses` or `operates`",
        system=system,
    )


def all_used(release: Release, find: Find) -> tuple[tuple[str, str], ...]:
    """Every system with the digest that a release uses, however far down, each once; empty for one that uses nothing."""
    return tuple(dict.fromkeys((system, digest) for _, system, digest in _below(release, find)))


def judge_composition(
    release: Release, *, find: Find, resolves: Resolves, live: Live | None = None, fits: Mapping[str, Fits]
) -> Verdict:
    """Passed where all that a release is made of is there, is what it is said to be, and fits, however far down.

    `live` tells what is live in the environment that it is to go into; without it, operated systems are not looked at. A
    release that uses and operates nothing is judged by what `fits` says of it alone.
    """
    tree, problems = _tree(release, find)
    problems += [problem for used in tree[1:] for problem in _lost_parts(used, resolves)]
    problems += _not_live(release, live)
    evidence = {"uses": {used.manifest.system: used.digest for used in tree[1:]}}
    whole: Verdict = Blocked(tuple(problems), evidence) if problems else Passed(evidence)
    judged = [
        (f"{name} of {each.manifest.system}", fit(each)) for each in tree for name, fit in fits.items() if not problems
    ]
    judgements = [Judgement(name, release.digest, verdict) for name, verdict in [("composition", whole), *judged]]
    names = [judgement.name for judgement in judgements]
    return decide(release.digest, required=names, judgements=judgements)


def _tree(release: Release, find: Find) -> tuple[list[Release], list[str]]:
    """A release and every release below it, each once, and what is wrong on the way."""
    found: dict[str, Release] = {release.digest: release}
    problems: list[str] = []
    for path, system, digest in _below(release, find):
        used = find(system, digest)
        if system in path:
            problems.append(f"it is a part of itself: {' uses '.join((*path, system))}")
        elif used is None:
            problems.append(f"{path[-1]} uses {system} {short(digest)}, which nobody knows")
        elif used.manifest.system != system:
            problems.append(
                f"{path[-1]} uses {short(digest)} as {system}, and it is a release of {used.manifest.system}"
            )
        else:
            found[digest] = used
    return list(found.values()), problems


def _below(release: Release, find: Find, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Each use below a release, with the systems on the way to it; a system that is on the way already ends it."""
    here = (*path, release.manifest.system)
    for system, digest in release.manifest.uses.items():
        yield here, system, digest
        used = find(system, digest)
        if used and system not in here:
            yield from _below(used, find, here)


def _lost_parts(used: Release, resolves: Resolves) -> list[str]:
    return [
        f"the {name} {short(digest)} of {used.manifest.system}, which it uses, cannot be found"
        for name, digest in used.manifest.behaviour.items()
        if not resolves(name, digest)
    ]


def _not_live(release: Release, live: Live | None) -> list[str]:
    operated = release.manifest.operates if live else ()
    return [f"it operates {system}, of which nothing is live" for system in operated if live and not live(system)]
