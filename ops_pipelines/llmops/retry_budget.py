"""When a request that failed is asked again: within a number of attempts and a span of time, with jitter.

Waits double, and each is drawn evenly between nothing and its bound, so that callers who failed together do not come
back together. What a provider asks for (Retry-After) is a floor, and is never cut short: a wait that does not fit into the
budget is not begun.
"""

from dataclasses import dataclass

from ops_pipelines.core.errors import check_settings


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How long one request may take with all its attempts. `attempts` counts the first one, too; 1 never asks again."""

    attempts: int = 3
    seconds: float = 60.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 8.0

    def __post_init__(self) -> None:
        check_settings(
            self,
            "retries",
            attempts=(self.attempts >= 1, "at least 1"),
            seconds=(self.seconds > 0, "more than 0"),
            first_wait_seconds=(self.first_wait_seconds >= 0, "at least 0"),
            longest_wait_seconds=(self.longest_wait_seconds >= self.first_wait_seconds, "at least the first wait"),
        )

    def wait_after(
        self, attempt: int, *, spent_seconds: float, chance: float, asked_seconds: float | None = None
    ) -> float | None:
        """The seconds to wait after the attempt of this number (from 1) failed; None where it was the last.

        `chance` is a number drawn evenly from 0 to 1; `asked_seconds` is the provider's Retry-After.

        >>> RetryBudget().wait_after(2, spent_seconds=1.0, chance=0.5)
        0.5
        >>> RetryBudget().wait_after(1, spent_seconds=1.0, chance=0.5, asked_seconds=90.0) is None
        True
        """
        if attempt >= self.attempts:
            return None
        bound = min(self.longest_wait_seconds, self.first_wait_seconds * 2 ** min(attempt - 1, 30))
        wait = (asked_seconds or 0.0) + bound * chance
        return wait if spent_seconds + wait < self.seconds else None
