"""The runs that are kept in mind: only so many, and only so much that was read in them, since both are held in memory.

What is above that is forgotten: the oldest run of the client that has most, so that one that begins a run for each call
pushes out its own before those of others.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Kept(Protocol):
    """A run of a client, with how many characters it has read."""

    client: str

    @property
    def characters(self) -> int: ...


_K = TypeVar("_K", bound=Kept)


class Remembered(Generic[_K]):
    """Runs by key, the one that was used last at the end."""

    def __init__(self, most_runs: int, most_characters: int) -> None:
        self._most_runs, self._most_characters = most_runs, most_characters
        self._runs: OrderedDict[str, _K] = OrderedDict()
        self._read: dict[str, int] = {}
        self._all = 0

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, key: str) -> _K | None:
        """The run of a key, None for one that is not known, or not any more."""
        return self._runs.get(key)

    def keep(self, key: str, run: _K) -> None:
        """Keep a run as the last that was used; another one of this key is forgotten."""
        if self._runs.get(key) is not run:
            self._forget(key)
            self._runs[key] = run
        self._runs.move_to_end(key)
        self.weigh(key, run)
        while len(self._runs) > self._most_runs:
            self._forget(self._oldest_of_most(lambda _: 1))

    def weigh(self, key: str, run: _K) -> None:
        """Take note of what a run has read by now."""
        if self._runs.get(key) is not run:
            return
        now = run.characters
        self._all += now - self._read.get(key, 0)
        self._read[key] = now
        while self._all > self._most_characters and len(self._runs) > 1:
            self._forget(self._oldest_of_most(lambda one: self._read[one]))

    def _oldest_of_most(self, size: Callable[[str], int]) -> str:
        shares: Counter[str] = Counter()
        for key, run in self._runs.items():
            shares[run.client] += size(key)
        most = max(shares, key=lambda client: shares[client])  # among equals the one that was heard of least lately
        return next(key for key, run in self._runs.items() if run.client == most)

    def _forget(self, key: str) -> None:
        if self._runs.pop(key, None) is not None:
            self._all -= self._read.pop(key, 0)
