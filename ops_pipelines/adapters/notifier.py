"""How people are told: by apprise to whatever OPS_NOTIFY names, else as lines on standard output.

OPS_NOTIFY holds apprise addresses with spaces between them, for instance `mailto://...` or `slack://...`. They contain
secrets: they are read from the environment alone, and no log, error or representation of ours repeats one.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ops_pipelines.core.errors import OpsError

VARIABLE = "OPS_NOTIFY"
_TALKATIVE = ("apprise", "urllib3")


class NotificationError(OpsError):
    """Somebody who should have been told was not."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells all targets, or standard output where there are none."""

    targets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_environment(cls) -> "Notifier":
        """The notifier to the targets of OPS_NOTIFY."""
        return cls(tuple(os.environ.get(VARIABLE, "").split()))

    def tell(self, title: str, body: str) -> None:
        """Tell every target; NotificationError, by number and service alone, where one was not reached.

        The others are told all the same, so one that was reached hears the message again when it is tried again.
        """
        if not self.targets:
            sys.stdout.write(f"{title}\n{body}\n")
            sys.stdout.flush()
            return
        with _unlogged():
            failed = [problem for n, target in enumerate(self.targets, 1) if (problem := _send(n, target, title, body))]
        if failed:
            raise NotificationError(
                f"Of the {len(self.targets)} targets in {VARIABLE}, {'; '.join(failed)}",
                expected="addresses of services that answer",
                action=f"Check these in {VARIABLE}, counted from the left; the message is tried again",
                failed=len(failed),
            )


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Waits until nobody else holds the lock, and holds it; a process that dies lets it go."""
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _send(number: int, target: str, title: str, body: str) -> str | None:
    """Why a target was not reached, without any part of its address; None where it was."""
    import apprise

    service = apprise.Apprise.instantiate(target)
    if service is None:
        return f"target {number} is no address that apprise knows"
    messenger = apprise.Apprise(service)
    reached = messenger.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
    return None if reached else f"target {number} ({service.service_name}) did not take the message"


@contextmanager
def _unlogged() -> Iterator[None]:
    """Without the logs of apprise and of what it sends by, which name addresses with what is secret in them."""
    loggers = {name: logging.getLogger(name) for name in _TALKATIVE}
    levels = {name: logger.level for name, logger in loggers.items()}
    for logger in loggers.values():
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            loggers[name].setLevel(level)
