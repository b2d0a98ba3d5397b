"""Whose token a client sends with a request over HTTP."""

from collections.abc import Callable

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.principal import PROPOSE, authorise
from ops_pipelines.core.verdict import Passed


def principals_of(platform: Platform, agent: str, environment: str) -> Callable[[str], str]:
    """Looks a token up, anew each time, so that one that was revoked counts no more; see `callers.PrincipalOf`."""

    def principal_of(token: str) -> str:
        everybody, now = platform.principals.everybody(), platform.clock.wall()
        who = platform.principals.by_token(token)
        if isinstance(authorise(who, PROPOSE, agent, environment, everybody=everybody, now=now), Passed):
            return who.name if who and everybody else ""
        why = (who.why_not(now) or f"{who.name} may not have {agent} act") if who else "no principal has it"
        raise NotAllowed(  # who may is not for a stranger's ears
            why,
            expected=f"a token whose principal may propose for {agent}",
            action="Ask an admin for one: `ops principal add NAME --role proposer`",
        )

    return principal_of
