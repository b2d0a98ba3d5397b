"""Whole files only: written under another name beside the target, and renamed when complete."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A name beside the target to write to; it becomes the target when the block succeeds, and is removed when not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.parent / f".{target.name}.{uuid.uuid4().hex}.aside"
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def leftovers(root: Path) -> Iterator[Path]:
    """Files whose writer died before the rename."""
    yield from root.rglob(".*.aside")
