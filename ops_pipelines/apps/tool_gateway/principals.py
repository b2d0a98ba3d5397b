"""Whose token a client sends with a request over HTTP."""

from collections.abc import Callable

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.principal import PROPOSE, authorise
from ops_pipelines.core.verdict import reasons_of


def principals_of(platform: Platform, agent: str, environment: str) -> Callable[[str], str]:
    """Looks a token up, anew each time, so that one that was revoked counts no more; see `callers.PrincipalOf`."""

    def principal_of(token: str) -> str:
        everybody = platform.principals.everybody()
        who = platform.principals.by_token(token)
        found = authorise(who, PROPOSE, agent, environment, everybody=everybody, now=platform.clock.wall())
        if reasons_of(found):
            raise NotAllowed(
                "; ".join(reasons_of(found)),
                expected=f"a token whose principal may propose for {agent}",
                action="Ask an admin for one: `ops principal add NAME --role proposer`",
            )
        return who.name if who else ""

    return principal_of
