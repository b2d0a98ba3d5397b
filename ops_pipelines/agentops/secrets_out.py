"""What a home keeps of calls beside its run log, with the secrets taken out: decisions, effects and approvals.

Personal data stays in them: a policy, its backtest and whoever settles an effect are about to whom something goes. The
marks are those of the run log. Beside arguments from which something was taken out stays the digest of the exact ones, by
which a call that comes again is known to the byte. From it a secret can only be guessed, which a short one can be.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ops_pipelines.agentops.approval import Request
from ops_pipelines.agentops.call_facts import plain_arguments
from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.agentops.effects import DONE, Intent, Outcome
from ops_pipelines.agentops.redaction import Redactor, may_hold_secret
from ops_pipelines.core.fingerprint import canonical_json

_TOO_DEEP = '"[redacted value]"'


@dataclass(frozen=True, slots=True)
class SecretsOut:
    """Takes secrets out of what is kept. `redactor` makes one that takes out secrets only; most calls do not need it."""

    redactor: Callable[[], Redactor]

    def text(self, text: str) -> str:
        """A sentence without its secrets."""
        return self.redactor().text(text) if _may_hold(text) else text

    def json(self, text: str) -> str:
        """A text of JSON without its secrets, the same text where it has none; any other text as `text`."""
        if not may_hold_secret(text):
            return text
        try:
            value = json.loads(text)
            kept = self.redactor().value(value)
            return text if kept == value else canonical_json(kept).decode()
        except ValueError:
            return self.redactor().text(text)
        except RecursionError:  # nobody can look into it
            return _TOO_DEEP

    def decision(self, logged: Logged) -> Logged:
        """A decision, which says where something was taken out of it."""
        arguments = self.json(logged.arguments)
        tool, reason = self.text(logged.tool), self.text(logged.reason)  # a model may call for what is no tool
        if arguments is logged.arguments and (tool, reason) == (logged.tool, logged.reason):
            return logged
        situation = logged.situation
        if arguments is not logged.arguments and "arguments" in situation:
            situation = {**situation, "arguments": _asked_about(arguments)}
        return replace(logged, tool=tool, arguments=arguments, reason=reason, situation=situation, redacted=True)

    def intent(self, intent: Intent) -> Intent:
        """An intent, which is still known by the digest of its exact arguments."""
        arguments = self.json(intent.arguments)
        return intent if arguments is intent.arguments else intent.with_arguments(arguments)

    def outcome(self, outcome: Outcome) -> Outcome:
        """What came of an effect: its result is still JSON where it was."""
        kept = self.json(outcome.result) if outcome.state == DONE else self.text(outcome.result)
        return outcome if kept == outcome.result else replace(outcome, result=kept)

    def request(self, request: Request) -> Request:
        """A request that can be used no more: its binding is still that of the exact arguments."""
        arguments = self.json(request.binding.arguments)
        if arguments is request.binding.arguments:
            return request
        return replace(request, binding=request.binding.with_arguments(arguments))


@lru_cache(maxsize=1024)
def _may_hold(text: str) -> bool:
    """The same for sentences, most of which come in many decisions."""
    return may_hold_secret(text)


def _asked_about(arguments: str) -> list[str]:
    """The arguments that a policy was asked about, as they are kept."""
    kept: Any = json.loads(arguments)
    return list(plain_arguments(kept)) if isinstance(kept, dict) else []
