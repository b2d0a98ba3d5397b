"""Where documents come from: folders of text, and the documentation that installed packages carry.

What cannot be read as text, or is too big, is told with its reason. Whether it stops the snapshot is the source's policy.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from ops_pipelines.core.errors import ConfigError, check_settings
from ops_pipelines.llmops.corpus import Document
from ops_pipelines.llmops.corpus_collection import ERROR, SKIP, Collection, Problem
from ops_pipelines.llmops.plain_text import FORMATS, MARKDOWN, TEXT, NotText, plain_text

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of a document that is no UTF-8 text or has over `max_bytes`: an `error`, or a `skip` that is told."""

    unreadable: str = ERROR
    max_bytes: int = _MEGABYTE

    def __post_init__(self) -> None:
        check_settings(
            self,
            "sources",
            unreadable=(self.unreadable in (ERROR, SKIP), f"{ERROR} or {SKIP}"),
            max_bytes=(self.max_bytes > 0, "more than 0"),
        )


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files of a folder and those below it whose names match; a document's id is its path from `root`."""

    root: Path
    folder: str
    match: Sequence[str] = tuple(f"*{end}" for end in FORMATS)
    policy: Policy = Policy()

    def collect(self) -> Collection:
        """Every matching file, in order; ConfigError where there is no such folder. Links out of it are not followed."""
        where = self.root / self.folder
        if not where.is_dir():
            raise ConfigError(
                f"There is no folder {where}",
                expected="a folder of documents, named from the project's root",
                action="Mend `folder` under `sources` in defs.yaml",
                folder=str(where),
            )
        return _collected(
            self._read(file, where.resolve()) for file in sorted(where.rglob("*")) if self._is_meant(file)
        )

    def _is_meant(self, file: Path) -> bool:
        hidden = any(part.startswith(".") for part in file.relative_to(self.root / self.folder).parts)
        return file.is_file() and not hidden and any(fnmatch(file.name, pattern) for pattern in self.match)

    def _read(self, file: Path, inside: Path) -> Document | Problem:
        name = PurePosixPath(file.relative_to(self.root)).as_posix()
        if not file.resolve().is_relative_to(inside):
            return Problem(name, self.folder, "is a link that leads out of its folder", self.policy.unreadable)
        size = file.stat().st_size
        if size > self.policy.max_bytes:
            return Problem(name, self.folder, _too_big(size, self.policy), self.policy.unreadable)
        try:
            plain = plain_text(file.read_bytes(), FORMATS.get(file.suffix.lower(), TEXT))
        except (NotText, OSError) as error:
            return Problem(name, self.folder, f"cannot be read: {error}", self.policy.unreadable)
        return Document(name, self.folder, plain.text, plain.metadata)


@dataclass(frozen=True, slots=True)
class PackageSource:
    """What each of some installed distributions says of itself: its summary and its long description, as installed now."""

    packages: Sequence[str]
    policy: Policy = Policy()

    def collect(self) -> Collection:
        """A document a distribution, `packages/<name>`, with its version; one that is not installed is a problem."""
        return _collected(self._read(name) for name in self.packages)

    def _read(self, name: str) -> Document | Problem:
        from importlib.metadata import PackageNotFoundError, metadata

        known = f"packages/{name}"
        try:
            told = metadata(name)
        except PackageNotFoundError:
            return Problem(known, "packages", "is not installed", self.policy.unreadable)
        body = str(told["Description"] or told.get_payload() or "")  # type: ignore[attr-defined]
        size = len(body.encode(errors="surrogatepass"))
        if size > self.policy.max_bytes:
            return Problem(known, "packages", _too_big(size, self.policy), self.policy.unreadable)
        text = f"{name} {told['Version']}: {told['Summary'] or 'no summary'}\n\n{body}"
        try:
            plain = plain_text(text.encode(), MARKDOWN)
        except (NotText, UnicodeEncodeError) as error:
            return Problem(known, "packages", f"cannot be read: {error}", self.policy.unreadable)
        return Document(known, "packages", plain.text, {**plain.metadata, "version": str(told["Version"])})


def collect_all(sources: Iterable[FolderSource | PackageSource]) -> Collection:
    """What all sources hold, one after the other."""
    found = [source.collect() for source in sources]
    return Collection(
        tuple(document for one in found for document in one.documents),
        tuple(problem for one in found for problem in one.problems),
    )


def _collected(read: Iterator[Document | Problem]) -> Collection:
    every = list(read)
    return Collection(
        tuple(one for one in every if isinstance(one, Document)),
        tuple(one for one in every if isinstance(one, Problem)),
    )


def _too_big(size: int, policy: Policy) -> str:
    return f"has {size:,} bytes, and {policy.max_bytes:,} are allowed"
