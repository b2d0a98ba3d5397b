"""What became of one run of a task: success or not, each step with what it was, and where it went wrong."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

RIGHT, UNJUDGED = "right", "not judged"
WRONG_TOOL, WRONG_ARGUMENTS, OUT_OF_ORDER = "wrong tool", "wrong arguments", "out of order"
MISREAD, NEEDLESS, REPEATED_ERROR, WRONG_ACTION = "misread result", "needless", "repeated error", "wrong action"
MISSTEPS = (WRONG_TOOL, WRONG_ARGUMENTS, OUT_OF_ORDER, MISREAD, NEEDLESS, REPEATED_ERROR, WRONG_ACTION)
"""What a step can be besides right and not judged, which is one about which the task says nothing."""


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """What one tool call was. `decisive` where it alone keeps the task from success.

    `should` is what it should have been: a call, or for a misread result the value, which the step `source` had returned.
    `error` is why the call failed or was refused; a right call can fail. `foreseen` where a person refused it who does so in
    this task.
    """

    step: str
    tool: str
    kind: str
    why: str = ""
    decisive: bool = False
    should: Any = None
    source: str = ""
    error: str = ""
    foreseen: bool = False

    @property
    def is_misstep(self) -> bool:
        """Whether it should have been something else, or nothing."""
        return self.kind in MISSTEPS

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Effort:
    """What a run took: steps of any kind, tool calls, and dollars; None where a model call has no known price."""

    steps: int
    tool_calls: int
    usd: Decimal | None


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """One run of a task. `success` is None where nobody can tell, and `why` says so; otherwise it says why there is none.

    `missing` are needed calls that were never made as they should be, and values that were never handed on.
    """

    task: str
    cluster: str
    run: str
    success: bool | None
    why: tuple[str, ...] = ()
    steps: tuple[StepVerdict, ...] = ()
    missing: tuple[str, ...] = ()
    effort: Effort = Effort(0, 0, None)
    repeat: int = 0

    @property
    def decisive(self) -> StepVerdict | None:
        """The first misstep that alone kept it from success; None where there is none."""
        return next((step for step in self.steps if step.decisive), None)

    @property
    def missteps(self) -> tuple[StepVerdict, ...]:
        """The steps that should have been something else, or nothing."""
        return tuple(step for step in self.steps if step.is_misstep)

    @property
    def stumbled(self) -> bool:
        """Whether there was an error, or a misstep that is more than needless."""
        return any(
            (step.error and not step.foreseen) or (step.is_misstep and step.kind != NEEDLESS) for step in self.steps
        )

    @property
    def recovered(self) -> bool:
        """Whether it came to success after it had stumbled."""
        return self.success is True and self.stumbled

    @property
    def added_up(self) -> int:
        """How many small missteps together kept it from success, none of them decisive alone; 0 where that is not why."""
        small = len(self.missteps)
        return small if self.success is False and self.decisive is None and small > 1 else 0

    def row(self) -> dict[str, Any]:
        """The verdict as a row of a table; `usd` is a text, and `misstep` the first decisive one."""
        plain = {name: getattr(self, name) for name in ("task", "cluster", "run", "repeat", "success")}
        counts = {"missteps": len(self.missteps), "added_up": self.added_up, "recovered": self.recovered}
        effort, first = self.effort, self.decisive
        return {
            **plain,
            "why": "; ".join(self.why),
            "misstep": f"{first.kind}: {first.why}" if first else "",
            **counts,
            "steps": effort.steps,
            "tool_calls": effort.tool_calls,
            "usd": None if effort.usd is None else f"{effort.usd:f}",
        }

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain JSON, read back by `from_json`."""
        plain = {name: getattr(self, name) for name in ("task", "cluster", "run", "success", "repeat")}
        lists = {"why": list(self.why), "missing": list(self.missing), "steps": [one.to_json() for one in self.steps]}
        effort = self.effort
        usd = None if effort.usd is None else str(effort.usd)
        return {**plain, **lists, "effort": {"steps": effort.steps, "tool_calls": effort.tool_calls, "usd": usd}}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "TaskVerdict":
        """The verdict that `to_json` wrote."""
        took = record["effort"]
        usd = None if took["usd"] is None else Decimal(took["usd"])
        read = {
            "why": tuple(record["why"]),
            "missing": tuple(record["missing"]),
            "steps": tuple(StepVerdict(**one) for one in record["steps"]),
            "effort": Effort(took["steps"], took["tool_calls"], usd),
        }
        return cls(**{**record, **read})
