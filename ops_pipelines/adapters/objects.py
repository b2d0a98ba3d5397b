"""Bytes by their sha256: models, definitions, lock files. What a manifest names is found here or nowhere."""

from pathlib import Path

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.core.errors import ArtefactError
from ops_pipelines.core.fingerprint import digest_bytes, short


class ObjectStore:
    """Immutable contents under one folder, each at `<first two digits>/<digest>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Keep some bytes; their digest. Keeping them again changes nothing, and mends bytes that were damaged."""
        digest = digest_bytes(content)
        if not self.has(digest) or digest_bytes(self._file(digest).read_bytes()) != digest:
            with written_aside(self._file(digest)) as aside:
                aside.write_bytes(content)
        return digest

    def has(self, digest: str) -> bool:
        """Whether the bytes of a digest are kept."""
        return self._file(digest).is_file()

    def get(self, digest: str) -> bytes:
        """The bytes of a digest, verified; ArtefactError where they are missing or are not those bytes."""
        if not self.has(digest):
            raise ArtefactError(
                f"The object {short(digest)} is not in {self.root}",
                expected="every part of a release to be kept",
                action="Restore it from a backup, or train the release again",
                digest=digest,
            )
        content = self._file(digest).read_bytes()
        if digest_bytes(content) != digest:
            raise ArtefactError(
                f"The object {short(digest)} was changed: its bytes have the digest {short(digest_bytes(content))}",
                expected="the bytes that the release was gated with",
                action="Restore it from a backup, or roll back to another release; it was not loaded",
                digest=digest,
            )
        return content

    def size(self, digest: str) -> int | None:
        """How many bytes are kept under a digest; None where none are."""
        try:
            return self._file(digest).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str) -> bytes | None:
        """The bytes that are kept under a digest as they are, verified by nobody; None where none are."""
        try:
            return self._file(digest).read_bytes()
        except FileNotFoundError:
            return None

    def _file(self, digest: str) -> Path:
        return self.root / digest[:2] / digest
