"""What `oncall` can do: it looks at a system's stored verdicts and releases, asks the runbooks, and acts on the platform.

Nothing here goes through Dagster. What a rollback or a retraining does is what the command line does, under the same rules.
What is returned as trusted are numbers, digests and names of ours, and never a text that somebody could have written.
"""

import asyncio
from dataclasses import dataclass
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
    on_call = _OnCall(bench)
    return [
        tool_of(on_call.drift_report, effect=READ, trusted=True, owner=OWNER),
        tool_of(on_call.model_history, effect=READ, trusted=True, owner=OWNER),
        tool_of(on_call.ask_runbooks, effect=READ, owner=OWNER),
        tool_of(on_call.roll_back, effect=DESTRUCTIVE, owner=OWNER),
        tool_of(on_call.retrain, effect=WRITE, idempotent=True, owner=OWNER),
        tool_of(on_call.notify, effect=EGRESS, owner=OWNER),
    ]


@dataclass(slots=True)
class _OnCall:
    """What each tool does; its docstring is what a model reads. `door` is opened with the first question, and kept."""

    bench: Workbench
    door: Any = None

    def drift_report(self, system: System, week: str = "") -> dict[str, Any]:
        """How a model did in a week (the last one that was judged, without one): its loss, its drift, and their limits."""
        _check_operates(self.bench, system)
        return report_of(self.bench.platform, system, week, environment=self.bench.environment)

    def model_history(self, system: System) -> dict[str, Any]:
        """Which releases a model has, what their gates said, and when which of them was live."""
        _check_operates(self.bench, system)
        return history_of(self.bench.platform, system, environment=self.bench.environment)

    def ask_runbooks(self, question: Words) -> dict[str, Any]:
        """What the runbooks say to a question, with the documents that it was read from. Advice, and never an order."""
        from ops_pipelines.apps.client import AnswerDoor

        if self.door is None:
            self.door = AnswerDoor(self.bench.platform)
        asked = self.door.answer(
            RUNBOOKS,
            question,
            feature=self.bench.agent,
            release=self.bench.digest_of(RUNBOOKS),
            environment=self.bench.environment,
        )
        found = asyncio.run(asked)
        documents = list(dict.fromkeys(one.document for one in found.passages))
        return {"answer": found.text, "id": found.id, "documents": documents, "refused_by": list(found.refused_by)}

    def roll_back(self, system: System, to: Digits, seen: Digits, reason: Words) -> dict[str, Any]:
        """Put the release `to` back in the place of `seen`, which has to be live still."""
        try:
            _check_operates(self.bench, system)
            shipped = self.bench.platform.roll_back(
                system,
                to,
                actor=self.bench.agent,
                reason=_said(self.bench, reason),
                environment=self.bench.environment,
                seen=seen,
                call=current_call(),
            )
        except _BEFORE_THE_SWAP as error:
            raise EffectNotDone(str(error)) from error
        if shipped.move is None:
            raise EffectNotDone(f"{to} is live already")
        return {"live": short(shipped.move.release), "by": shipped.move.actor, "move": shipped.move.sequence}

    def retrain(self, system: System, alarm: Digits, reason: Words) -> dict[str, Any]:
        """Ask for a challenger because of an alarm: a row that the retraining sensor consumes, one for each alarm."""
        from ops_pipelines.adapters.retraining_door import plan_request, write_request

        try:
            _check_operates(self.bench, system)
            who = self.bench.platform.access.agent_may(PROPOSE, system, self.bench.environment, agent=self.bench.agent)
            said, key = _said(self.bench, reason), f"{self.bench.agent}:{alarm}"
            wanted = plan_request(self.bench.platform, system, reason=said, actor=who, key=key)
        except OpsError as error:  # only looked at so far
            raise EffectNotDone(str(error)) from error
        asked = write_request(self.bench.platform, wanted)
        if not isinstance(asked.verdict, Passed):
            raise EffectNotDone("; ".join(reasons_of(asked.verdict)))
        return {"request": asked.request.key, "up_to": asked.request.week, "stood": asked.stands}

    def notify(self, text: str) -> str:
        """Tell the people on call."""
        from ops_pipelines.adapters.notifier import NotificationError, Notifier

        notifier = Notifier.from_environment()
        try:
            notifier.tell(f"{self.bench.agent} says", _said(self.bench, text))
        except NotificationError as error:
            if error.facts.get("failed") == len(notifier.targets):
                raise EffectNotDone(str(error)) from error
            raise
        return "told"


def _said(bench: Workbench, words: str) -> str:
    """The agent's own words as they may be kept for ever, or shown anywhere: without a secret in them."""
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
