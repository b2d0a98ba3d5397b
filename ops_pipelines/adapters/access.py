"""The door that every action of the command line and of Dagster goes through: the token in OPS_TOKEN."""

import os
import secrets
from dataclasses import dataclass

from ops_pipelines.agentops.approval import Held
from ops_pipelines.agentops.authority import judge_approved, named_may
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.core.clock import Clock
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.principal import TOKEN_PREFIX, Principal, PrincipalStore, authorise
from ops_pipelines.core.verdict import Passed, reasons_of

TOKEN = "OPS_TOKEN"
"""The environment variable that holds the token of whoever acts; a daemon has one of its own, with the role promoter."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who acts, by the token in this process's environment, and what they may."""

    principals: PrincipalStore
    clock: Clock

    def whoever_may(self, action: str, system: str, environment: str, *, otherwise: str) -> str:
        """The name to write into the history: the principal's, or `otherwise` where no principal was added yet.

        NotAllowed, with who lacks what and who may, where the token does not let the action through.
        """
        who = self.who()
        everybody = self.principals.everybody()
        found = authorise(who, action, system, environment, everybody=everybody, now=self.clock.wall())
        if reasons_of(found):
            raise NotAllowed(
                "; ".join(reasons_of(found)),
                expected=f"a token in {TOKEN} whose principal may {action}",
                action="Ask one of those who may, or an admin for a role: `ops principal add NAME --role ROLE`",
                asked=action,
                system=system,
                environment=environment,
            )
        return who.name if who else otherwise

    def approved(self, held: Held | None, call: Intent, system: str, environment: str) -> str:
        """Both names to write into the history of what an approved call does; see `judge_approved`.

        NotAllowed where the approval is not that of this call, or one of the two may not.
        """
        everybody, now = self.principals.everybody(), self.clock.wall()
        found = judge_approved(held, call, system, environment, everybody=everybody, now=now)
        if isinstance(found, Passed):
            return str(found.evidence["by"])
        raise NotAllowed(
            "; ".join(reasons_of(found)),
            expected=f"an approval of this call by somebody who may approve or roll back {system}",
            action="Ask for it anew, and let somebody answer who may: `ops principal list`",
            system=system,
            environment=environment,
        )

    def agent_may(self, action: str, system: str, environment: str, *, agent: str) -> str:
        """An agent's name, where the principal of that name may do this, whoever runs it; else NotAllowed."""
        everybody, now = self.principals.everybody(), self.clock.wall()
        found = named_may(agent, (action,), system, environment, everybody=everybody, now=now)
        if isinstance(found, Passed):
            return agent
        raise NotAllowed(
            "; ".join(reasons_of(found)),
            expected=f"a principal {agent!r} that may {action} {system}",
            action=f"`ops principal add {agent} --role proposer` gives it one",
            asked=action,
            system=system,
            environment=environment,
        )

    def who(self) -> Principal | None:
        """Whose token this process has; None for no token, and for one that nobody has."""
        token = os.environ.get(TOKEN, "").strip()
        return self.principals.by_token(token) if token else None


def new_token() -> str:
    """A token of 256 random bits, to be shown once and kept by nobody but its owner."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)
