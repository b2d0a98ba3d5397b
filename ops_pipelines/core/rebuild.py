"""A release made again from its parts: what lies there is hashed, and the manifest of what was found is digested.

A manifest that is kept proves nothing about the parts that it names. Whether the release that ran can be had again is
answered by reading every byte of it, and a part that was changed or lost is named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops_pipelines.core.fingerprint import digest_bytes, short
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

Read = Callable[[str], bytes | None]
"""The bytes that are kept under a digest, whatever they are; None where there are none."""
Known = Callable[[str, str], Manifest | None]
"""The manifest of a system's release by its digest; None where there is none."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a release: its name, the digest that the manifest names, and that of what lies there, None for nothing."""

    name: str
    digest: str
    found: str | None

    @property
    def problem(self) -> str:
        """What is wrong with it, in words; empty where nothing is."""
        if self.found is None:
            return f"its {self.name} {short(self.digest)} is missing"
        return "" if self.found == self.digest else f"its {self.name} {short(self.digest)} is now {short(self.found)}"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A release beside what its parts make now, with each part; those of a release that it uses bear its system's name."""

    release: str
    again: str
    parts: tuple[Part, ...]

    @property
    def verdict(self) -> Verdict:
        """Passed where the digest is the same, Blocked with each part at fault, NotEvaluated for one without parts."""
        evidence = {"release": self.release, "rebuilt": self.again, "parts": len(self.parts)}
        if not self.parts:
            return NotEvaluated(f"release {short(self.release)} has no part that could be read", evidence)
        problems = tuple(part.problem for part in self.parts if part.problem)
        if self.again == self.release and not problems:
            return Passed(evidence)
        return Blocked(problems or (f"its parts make {short(self.again)}",), evidence)

    def to_json(self) -> dict[str, Any]:
        """Both digests and each part, as plain JSON."""
        parts = [
            {"part": part.name, "digest": part.digest, "found": part.found, "problem": part.problem}
            for part in self.parts
        ]
        return {
            "release": self.release,
            "rebuilt": self.again,
            "same": isinstance(self.verdict, Passed),
            "parts": parts,
        }


def rebuild(release: str, manifest: Manifest, read: Read, known: Known) -> Rebuilt:
    """The release of a digest made again from the bytes of its parts, and of the parts of each release that it uses."""
    own = [Part(name, digest, _digest_of(read(digest))) for name, digest in manifest.behaviour.items()]
    used = {system: _rebuild_used(system, digest, read, known) for system, digest in manifest.uses.items()}
    again = Manifest(
        manifest.system,
        {part.name: part.found or "missing" for part in own},
        {system: made.again for system, made in used.items()},
        manifest.operates,
    )
    theirs = [
        Part(f"{system}'s {part.name}", part.digest, part.found) for system, made in used.items() for part in made.parts
    ]
    return Rebuilt(release, again.digest, (*own, *theirs))


def _rebuild_used(system: str, digest: str, read: Read, known: Known) -> Rebuilt:
    manifest = known(system, digest)
    if manifest is None:
        return Rebuilt(digest, "missing", (Part("release", digest, None),))
    return rebuild(digest, manifest, read, known)


def _digest_of(content: bytes | None) -> str | None:
    return None if content is None else digest_bytes(content)
