"""An agent of made-up turns that goes outside by its scope only, and the outside that it meets, which counts.

It is for replays and forks: any number of steps, tools in parallel, models, memory, the clock and random numbers, an
effect now and then, and a failure that it goes on without.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.agentops.recording import Live, Outcome, Scope, StepFailed, Tape
from ops_pipelines.agentops.step_writer import Keep, Writer
from ops_pipelines.testing.run_log import MONDAY, RUN

READS, EFFECT = ("drift_report", "model_history"), "notify"
"""The tools of `Outside`: two that read, and one that changes something."""


@dataclass
class Outside:
    """A model, tools, a memory, a clock and dice; `calls` is what reached them, `effects` what was changed."""

    seed: int = 0
    calls: list[str] = field(default_factory=list)
    effects: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def model(self, request: Any) -> Outcome:
        """An answer that depends on every word of the request."""
        self.calls.append("model")
        words = sum(len(message["content"]) for message in request["messages"])
        return Outcome({"text": f"answer {words % 97} of {request['model']}"}, tokens=words, nanos=20 * words)

    def read(self, name: str, arguments: Any) -> Any:
        """A report; every ninth subject has none."""
        self.calls.append(name)
        if arguments["subject"] % 9 == 8:
            raise LookupError(f"no report about {arguments['subject']}")
        return {"report": f"{name} of {arguments['subject']}", "score": arguments["subject"] / 7}

    def notify(self, arguments: Any) -> str:
        """Changes something."""
        self.calls.append(EFFECT)
        self.effects.append(arguments)
        return f"sent {len(self.effects)}"

    def memory(self) -> Outcome:
        """What an agent remembers."""
        self.calls.append("memory")
        return Outcome(["the storm of June"], memory_version="acme/oncall@3")

    def clock(self) -> datetime:
        """An instant that never comes again."""
        self.calls.append("clock")
        return MONDAY + timedelta(seconds=self._dice.random())

    def draw(self) -> float:
        """A number that never comes again."""
        self.calls.append("random")
        return self._dice.random()


@dataclass(frozen=True, slots=True)
class Investigation:
    """An agent that looks into one subject after another: 8 steps each, and one more of the agent itself at the start.

    `at_once` are the threads in which it reads; `words` begin each prompt, and `model` is whom it asks.
    """

    outside: Outside
    subjects: int
    at_once: int = 1
    words: str = "Look into"
    model: str = "desk-1"

    def __call__(self, scope: Scope) -> list[str]:
        """What it came to about each subject."""
        with ThreadPoolExecutor(self.at_once) as pool:
            return [self._look_into(scope, subject, pool) for subject in range(self.subjects)]

    def _look_into(self, scope: Scope, subject: int, pool: ThreadPoolExecutor) -> str:
        outside = self.outside
        remembered = scope.memory("oncall", {"about": subject}, outside.memory)
        seen_at, ticket = scope.now(outside.clock), scope.random("ticket", outside.draw)
        reports = list(pool.map(lambda number: self._read(scope, subject, number), range(3)))
        asked = f"{self.words} {subject} at {seen_at.isoformat()}: {reports}, {remembered}"
        request = {"model": self.model, "messages": [{"role": "user", "content": asked}]}
        said = scope.model(self.model, request, outside.model)
        letter = {"text": said["text"], "ticket": ticket}
        return str(scope.tool(EFFECT, letter, lambda: outside.notify(letter)))

    def _read(self, scope: Scope, subject: int, number: int) -> Any:
        name, arguments = READS[number % len(READS)], {"subject": subject, "page": number}
        try:
            return scope.tool(name, arguments, lambda: self.outside.read(name, arguments))
        except StepFailed as failed:
            return failed.message


def record(
    program: Callable[[Scope], Any], keep: Keep, *, run: str = RUN, writer: Writer | None = None, release: str = "r1"
) -> Any:
    """What a program returns while it is recorded as a run of `oncall`, each step one second after the other."""
    tape = Tape(run, Live(ticking()), writer or Writer(keep), release)
    return program(tape.begin("oncall", {"alarm": "drift of flight_delay"}))


def ticking(start: datetime = MONDAY) -> Callable[[], datetime]:
    """A clock that is a millisecond later each time."""
    ticks = iter(range(10**9))
    return lambda: start + timedelta(milliseconds=next(ticks))
