"""How a stage of the gate refuses a call."""

from ops_pipelines.agentops.tool_call import Denied, Done, Waiting
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.verdict import Passed, Verdict, reasons_of

ASK_A_PERSON = "Do not try again: tell a person what you wanted to do, and why"


class Refused(Exception):
    """Ends a call with an answer."""

    def __init__(self, answer: Denied | Waiting | Done) -> None:
        self.answer = answer
        super().__init__(answer)


def deny(stage: str, reason: str, do: str, *, can_retry: bool = False) -> Refused:
    """The refusal of a stage."""
    return Refused(Denied(stage, reason, do, can_retry=can_retry))


def broke(stage: str, error: Exception) -> Denied:
    """What is told where a stage could not judge."""
    why = error.wrong if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
    return Denied(
        stage, f"the gate could not judge the call: {why}", "Nothing was done. Tell a person that it is broken"
    )


def let_pass(stage: str, found: Verdict, do: str) -> None:
    """Refuses what is not Passed."""
    if not isinstance(found, Passed):
        raise deny(stage, "; ".join(reasons_of(found)), do)
