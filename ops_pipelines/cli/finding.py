"""What `ops doctor` says of one thing that it looked at."""

from dataclasses import dataclass

GOOD, ODD, BAD = "good", "look", "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: good, worth a look, or bad, and what to do."""

    about: str
    state: str
    what: str
    do: str = ""
