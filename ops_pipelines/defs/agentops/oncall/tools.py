"""What `oncall` can do: it looks at a system's stored verdicts and releases, asks the runbooks, and acts on the platform.

Nothing here goes through Dagster. What a rollback or a retraining does is what the command line does, under the same rules.
What is returned as trusted are numbers, digests and names of ours, and never a text that somebody could have written.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from ops_pipelines.adapters.redactors import secrets_out_of
from ops_pipelines.adapters.workbench import Workbench
from ops_pipelines.agentops.claims import IDENTIFIER, TEXT
from ops_pipelines.agentops.current_call import current_call
from ops_pipelines.agentops.tool_call import EffectNotDone
from ops_pipelines.agentops.tool_function import ToolFunction, tool_of
from ops_pipelines.agentops.tool_registry import DESTRUCTIVE, EGRESS, READ, WRITE
from ops_pipelines.core.errors import ArtefactError, ConfigError, NotAllowed, OpsError, ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.principal import PROPOSE
from ops_pipelines.core.verdict import Passed, reasons_of
from ops_pipelines.defs.agentops.oncall.looking import history_of, report_of

RUNBOOKS = "runbook_answers"
_BEFORE_THE_SWAP = (NotAllowed, ReleaseError, ConfigError, ArtefactError)
"""What a rollback raises before it has moved anything. Of every other error nobody knows, such as that of a full disk."""
OWNER = "platform"

System = Annotated[str, IDENTIFIER]
Digits = Annotated[str, IDENTIFIER]
Words = Annotated[str, TEXT]


def tools(bench: Workbench) -> list[ToolFunction]:
    """The tools, for the systems that the agent's release operates."""
    return [
        tool_of(_drift_report(bench), effect=READ, name="drift_report", trusted=True, owner=OWNER),
        tool_of(_model_history(bench), effect=READ, name="model_history", trusted=True, owner=OWNER),
        tool_of(_ask_runbooks(bench), effect=READ, name="ask_runbooks", owner=OWNER),
        tool_of(_roll_back(bench), effect=DESTRUCTIVE, name="roll_back", owner=OWNER),
        tool_of(_retrain(bench), effect=WRITE, name="retrain", idempotent=True, owner=OWNER),
        tool_of(_notify(bench), effect=EGRESS, name="notify", owner=OWNER),
    ]


def _drift_report(bench: Workbench) -> Callable[..., Any]:
    def drift_report(system: System, week: str = "") -> dict[str, Any]:
        """How a model did in a week (the last one that was judged, without one): its loss, its drift, and their limits."""
        _check_operates(bench, system)
        return report_of(bench.platform, system, week, environment=bench.environment)

    return drift_report


def _model_history(bench: Workbench) -> Callable[..., Any]:
    def model_history(system: System) -> dict[str, Any]:
        """Which releases a model has, what their gates said, and when which of them was live."""
        _check_operates(bench, system)
        return history_of(bench.platform, system, environment=bench.environment)

    return model_history


def _ask_runbooks(bench: Workbench) -> Callable[..., Any]:
    doors: list[Any] = []  # opened with the first question, and kept for the next

    def ask_runbooks(question: Words) -> dict[str, Any]:
        """What the runbooks say to a question, with the documents that it was read from. Advice, and never an order."""
        from ops_pipelines.apps.client import AnswerDoor

        if not doors:
            doors.append(AnswerDoor(bench.platform))
        asked = doors[0].answer(
            RUNBOOKS,
            question,
            feature=bench.agent,
            release=bench.digest_of(RUNBOOKS),
            environment=bench.environment,
        )
        found = asyncio.run(asked)
        documents = list(dict.fromkeys(one.document for one in found.passages))
        return {"answer": found.text, "id": found.id, "documents": documents, "refused_by": list(found.refused_by)}

    return ask_runbooks


def _roll_back(bench: Workbench) -> Callable[..., Any]:
    def roll_back(system: System, to: Digits, seen: Digits, reason: Words) -> dict[str, Any]:
        """Put the release `to` back in the place of `seen`, which has to be live still."""
        try:
            _check_operates(bench, system)
            shipped = bench.platform.roll_back(
                system,
                to,
                actor=bench.agent,
                reason=_for_history(bench, reason),
                environment=bench.environment,
                seen=seen,
                call=current_call(),
            )
        except _BEFORE_THE_SWAP as error:
            raise EffectNotDone(str(error)) from error
        if shipped.move is None:
            raise EffectNotDone(f"{to} is live already")
        return {"live": short(shipped.move.release), "by": shipped.move.actor, "move": shipped.move.sequence}

    return roll_back


def _retrain(bench: Workbench) -> Callable[..., Any]:
    def retrain(system: System, alarm: Digits, reason: Words) -> dict[str, Any]:
        """Ask for a challenger because of an alarm: a row that the retraining sensor consumes, one for each alarm."""
        from ops_pipelines.adapters.retraining_door import plan_request, write_request

        try:
            _check_operates(bench, system)
            who = bench.platform.access.agent_may(PROPOSE, system, bench.environment, agent=bench.agent)
            said, key = _for_history(bench, reason), f"{bench.agent}:{alarm}"
            wanted = plan_request(bench.platform, system, reason=said, actor=who, key=key)
        except OpsError as error:  # only looked at so far
            raise EffectNotDone(str(error)) from error
        asked = write_request(bench.platform, wanted)
        if not isinstance(asked.verdict, Passed):
            raise EffectNotDone("; ".join(reasons_of(asked.verdict)))
        return {"request": asked.request.key, "up_to": asked.request.week, "stood": asked.stands}

    return retrain


def _notify(bench: Workbench) -> Callable[..., Any]:
    def notify(text: str) -> str:
        """Tell the people on call."""
        from ops_pipelines.adapters.notifier import NotificationError, Notifier

        notifier = Notifier.from_environment()
        try:
            notifier.tell(f"{bench.agent} says", text)
        except NotificationError as error:
            if error.facts.get("failed") == len(notifier.targets):
                raise EffectNotDone(str(error)) from error
            raise
        return "told"

    return notify


def _for_history(bench: Workbench, words: str) -> str:
    """The agent's own words as they may be kept for ever: without a secret in them."""
    return secrets_out_of(bench.platform.project.home).text(words)


def _check_operates(bench: Workbench, system: str) -> None:
    """ConfigError for a system that the agent's release does not operate: its other tools and its peers are none of it."""
    operates = tuple(bench.manifest.operates)
    if system not in operates:
        raise ConfigError(
            f"{bench.agent} does not operate {system!r}",
            expected=f"one of {', '.join(operates) or 'none'}",
            action="Name it under `operates`, and release the agent anew",
            system=system,
        )
