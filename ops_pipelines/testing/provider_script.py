"""What a scripted provider does: how it behaves, when it is upgraded, and what goes wrong.

It is written as JSON, so that a test, a demo and a drill can hand it to a process:

    {"stages": [{"answers_as": "desk-1", "latency_ms": 100},
                {"after": 40, "answers_as": "desk-2", "without_citations": true}],
     "faults": [{"kind": "status", "status": 429, "retry_after": 0.2, "times": 2}, {"kind": "cut"}]}
"""

from typing import Any

import msgspec

STATUS, CUT, ENDED_EARLY, EMPTY, ERROR_INSIDE, NOT_JSON = (
    "status",
    "cut",
    "ended_early",
    "empty",
    "error_inside",
    "not_json",
)
NO_TEXT, NO_USAGE, HANG, WRONG_MODEL, FILTERED = "no_text", "no_usage", "hang", "wrong_model", "filtered"
FAULTS = (STATUS, CUT, ENDED_EARLY, EMPTY, ERROR_INSIDE, NOT_JSON, NO_TEXT, NO_USAGE, HANG, WRONG_MODEL, FILTERED)
"""What can go wrong. `cut` drops the connection within the answer; `ended_early` closes it properly, without its end."""


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that is to be called, with its arguments."""

    tool: str
    arguments: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said to a conversation that contains some text; without tokens of its own they are estimated.

    `calls` are the tools that are asked for in the same answer, for instance with an empty text.
    """

    contains: str
    text: str
    output_tokens: int | None = None
    calls: tuple[Call, ...] = ()


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the provider behaves from its request number `after` on.

    A conversation that no reply is for is answered by the extractive reader where it has passages, else by its own last
    message. `tokens_factor` multiplies the tokens that are counted, and so the costs. `answers_as` is the model that answers
    name, without it the one that was asked for.
    """

    after: int = 0
    answers_as: str | None = None
    fingerprint: str | None = None
    latency_ms: float = 0.0
    replies: tuple[Reply, ...] = ()
    without_citations: bool = False
    refuses_share: float = 0.0
    tokens_factor: float = 1.0


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong with the next `times` requests that contain some text; faults are used up in their order."""

    kind: str
    status: int = 500
    retry_after: float | None = None
    times: int = 1
    contains: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"the fault {self.kind!r} is none of {', '.join(FAULTS)}")


class ProviderScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a provider does. `models` are those that it has, any where it is empty; `api_key` is asked for where set."""

    stages: tuple[Stage, ...] = (Stage(),)
    faults: tuple[Fault, ...] = ()
    models: tuple[str, ...] = ()
    api_key: str = ""

    def __post_init__(self) -> None:
        if not self.stages or self.stages[0].after != 0:
            raise ValueError("the first stage begins with the first request: its `after` is 0")

    def stage(self, number: int) -> Stage:
        """How the request of this number (from 0) is answered: as the last stage that has begun says."""
        return [stage for stage in self.stages if stage.after <= number][-1]


def read_script(text: bytes) -> ProviderScript:
    """The script in some JSON; ValueError that names the place for anything else."""
    return msgspec.json.decode(text, type=ProviderScript)


def write_script(script: ProviderScript) -> bytes:
    """The script as JSON."""
    return msgspec.json.encode(script)


def as_json(value: Any) -> bytes:
    """Any plain value as JSON, for what a provider answers."""
    return msgspec.json.encode(value)
